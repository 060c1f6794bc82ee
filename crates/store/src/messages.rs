//! What persistence asks of a store: messages, read marks, and the records that are none.

use async_trait::async_trait;
use natter_model::event::Entry;
use natter_model::id::{AccountId, ConversationId, MessageId, Position};
use natter_model::timestamp::Timestamp;

use crate::error::StoreError;
use crate::resend::ClientKey;

/// The messages that the log adds up to.
#[async_trait]
pub trait MessageStore: Send + Sync + 'static {
    /// Folds entries into the rows, all or none. Entries may come in any order, any number of times, from any number
    /// of processes at once; the rows that come out are always the same ones (see `fold`).
    /// Answers with the entries that can never be applied, which are left out: their neighbours are applied.
    async fn apply(&self, entries: &[Entry]) -> Result<Vec<Misfit>, StoreError>;

    /// Keeps a record that cannot be applied, and why, for somebody to look at. Once per position and reason.
    async fn quarantine(&self, position: Position, record: &[u8], reason: &str) -> Result<(), StoreError>;

    /// The message, also if it is deleted. Not if it was there before, under the same `client_id`.
    async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError>;

    /// One page of the messages of some conversations.
    async fn page(&self, query: &PageQuery) -> Result<Page, StoreError>;

    /// For each of the conversations, in the order given: its newest `latest` messages (oldest first, deleted ones
    /// included), and how many messages of others, not deleted, stand behind those that the account has marked as read.
    async fn summaries(
        &self,
        account: AccountId,
        conversations: &[ConversationId],
        latest: usize,
    ) -> Result<Vec<Summary>, StoreError>;

    /// What somebody who knows the conversation up to `since` has to be told to know it up to `upto`, in order, `limit`
    /// entries at most: fewer are all there are. It is the log with what was superseded left out: each message stands
    /// where it was posted, but with its content of now, and with none once it is deleted; of its edits that counted
    /// only the last is there, and none once it is deleted; of its deletes, of each reader's marks and of the
    /// conversation's ends the last. So entries up to `upto` may be missing in favour of later ones, but nobody who
    /// goes on from `upto` misses anything, if the store has all of the conversation up to there.
    ///
    /// Only posts have their event's id and origin; no entry has its `previous`.
    async fn changes(
        &self,
        conversation: ConversationId,
        since: Position,
        upto: Position,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// The message that somebody posted in the conversation under this name of their own, also if it is deleted.
    async fn sent_as(&self, key: &ClientKey) -> Result<Option<Message>, StoreError>;

    /// Brings in messages of another system, each id at most once, as they are; those marked as read count as read by
    /// everybody. May be done again and again while the log goes on: an import decides what the log has not decided (see
    /// `import`), and whether it came before or after the log's entries makes no difference. Nothing is brought into a
    /// conversation that the log has ended: what was imported before the end is gone with it, and does not come back.
    ///
    /// Answers with the messages that are left out. On an error some may have been taken: do it again.
    async fn import(&self, messages: &[Message]) -> Result<Vec<Refused>, StoreError>;

    /// The highest position that any row bears witness of; [`Position::START`] in an empty store.
    async fn highest(&self) -> Result<Position, StoreError>;

    /// The highest id of a message that another system gave it, be it imported or relayed.
    async fn highest_given(&self) -> Result<Option<MessageId>, StoreError>;

    /// Can questions be answered now?
    async fn ready(&self) -> Result<(), StoreError>;
}

/// A message as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Where it was said.
    pub conversation: ConversationId,
    /// Who said it.
    pub sender: AccountId,
    /// The sender's username when it was said.
    pub sender_name: String,
    /// Stripped. `None` in some imported rows, empty once deleted.
    pub content: Option<String>,
    /// Path of a file below the media root.
    pub attachment: Option<String>,
    /// When it was said.
    pub timestamp: Timestamp,
    /// Somebody marked this very message as read.
    pub is_read: bool,
    /// When somebody last did.
    pub read_at: Option<Timestamp>,
    /// Its sender took it back.
    pub is_deleted: bool,
    /// When its sender last changed it.
    pub edited_at: Option<Timestamp>,
}

/// An entry that can never be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Which.
    pub position: Position,
    /// Why, for a person to read; without content.
    pub reason: String,
}

/// A message of another system that is not brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub id: MessageId,
    /// Why, for a person to read; without content.
    pub reason: &'static str,
}

/// Which page of which messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    /// Of these conversations.
    pub conversations: Vec<ConversationId>,
    /// Which way round, by time (then id).
    pub order: Order,
    /// Which of them.
    pub deleted: Deleted,
    /// Which page.
    pub page: PageNumber,
    /// Messages per page, at least 1.
    pub size: u32,
}

/// Which way round messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By time, forwards.
    OldestFirst,
    /// By time, backwards.
    NewestFirst,
}

/// What happens to deleted messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// They are there, without content.
    Included,
    /// They are left out, and not counted.
    LeftOut,
}

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageNumber {
    /// This one, from 1.
    Number(u64),
    /// The last there is.
    Last,
}

/// One page of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// How many messages all pages hold.
    pub count: u64,
    /// How many pages there are, at least 1.
    pub pages: u64,
    /// Which one this is; `None`: there is no such page (page 1 is always there).
    pub number: Option<u64>,
    /// What is on it.
    pub messages: Vec<Message>,
}

/// A conversation at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Which.
    pub conversation: ConversationId,
    /// The newest messages, oldest first.
    pub latest: Vec<Message>,
    /// Messages that the account has not read.
    pub unread_count: u64,
}

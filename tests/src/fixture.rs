//! What there is before a story begins.

mod django;

use std::time::Duration;

use natter_identity::key::SigningKey;
use natter_identity::minter::{Lifetimes, Minter, Subject};
use natter_model::id::{AccountId, ConversationId, MessageId};
use natter_model::timestamp::Timestamp;
use natter_store::accounts::{Account, AccountStore, Conversation, Participant};
use natter_store::messages::{Message, MessageStore};
use serde::Deserialize;

/// Everybody's password.
pub const PASSWORD: &str = "password123";

/// [`PASSWORD`] in Django's form, with so few rounds that logging in costs nothing.
const PASSWORD_HASH: &str = "pbkdf2_sha256$1000$fixturesalt$cmYMd3viL5U6MhaOJ/l2/p9VlpLR4Bqx7y+9sDRlii4=";

/// Django's mark for an account without a password.
const UNUSABLE_PASSWORD: &str = "!unusable";

/// The signing key of every stack.
pub const SIGNING_KEY: &str = "compat-shared-hmac-key-0123456789-abcdefgh";

/// Accounts, conversations and messages with the ids they shall have. The `state` of the vectors has this shape.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct World {
    /// Who there is.
    #[serde(rename = "users")]
    pub accounts: Vec<Person>,
    /// Where they may talk.
    pub conversations: Vec<Room>,
    /// What they said before.
    pub messages: Vec<Line>,
}

/// An account.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Person {
    pub id: u64,
    pub username: String,
    #[serde(default)]
    pub email: String,
    #[serde(default = "yes")]
    pub is_active: bool,
    /// `null`: has no usable password; any other than [`PASSWORD`] is refused.
    #[serde(default = "common_password")]
    pub password: Option<String>,
    #[serde(default)]
    pub profile_types: Vec<String>,
}

/// A conversation.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Room {
    pub id: u64,
    pub participants: Vec<u64>,
    /// ISO 8601; absent: a fixed day.
    #[serde(default)]
    pub created_at: Option<jiff::Timestamp>,
}

/// A message.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Line {
    pub id: u64,
    pub conversation: u64,
    pub sender: u64,
    #[serde(default = "some_content")]
    pub content: Option<String>,
    #[serde(default)]
    pub attachment: String,
    #[serde(default)]
    pub timestamp: Option<jiff::Timestamp>,
    #[serde(default)]
    pub is_read: bool,
    #[serde(default)]
    pub read_at: Option<jiff::Timestamp>,
    #[serde(default)]
    pub is_deleted: bool,
    #[serde(default)]
    pub edited_at: Option<jiff::Timestamp>,
}

impl World {
    /// Three people who have not met: `ana` (1), `bob` (2), `eve` (3).
    pub fn of_strangers() -> Self {
        Self { accounts: vec![Person::new(1, "ana"), Person::new(2, "bob"), Person::new(3, "eve")], ..Self::default() }
    }

    /// The two people of the users' documentation: `john_doe` (2) and `jane_smith` (3).
    pub fn of_the_documentation() -> Self {
        Self { accounts: vec![Person::new(2, "john_doe"), Person::new(3, "jane_smith")], ..Self::default() }
    }

    /// `ana` (1), `bob` (2) and `eve` (3), who have talked in conversation 1 before, and `tom` (4), who has not.
    pub fn of_a_fleet() -> Self {
        let at = |second| jiff::Timestamp::from_second(1_763_028_000 + second).expect("a time of a fixture");
        let line = |id: i64, sender, content: &str| Line {
            content: Some(content.to_owned()),
            timestamp: Some(at(id)),
            ..Line::new(id.unsigned_abs(), 1, sender)
        };
        let messages = vec![
            line(1, 1, "the first of all"),
            Line { is_read: true, read_at: Some(at(10)), ..line(2, 2, "read by somebody") },
            Line { edited_at: Some(at(11)), ..line(3, 2, "edited by bob") },
            Line { is_deleted: true, ..line(4, 1, "") },
            Line { attachment: "chat_attachments/plan.pdf".to_owned(), ..line(5, 3, "with a plan") },
        ];
        let conversations = vec![Room { id: 1, participants: vec![1, 2, 3], created_at: Some(at(0)) }];
        let mut accounts = Self::of_strangers().accounts;
        accounts.push(Person::new(4, "tom"));
        Self { accounts, conversations, messages }
    }

    /// Somebody of this world.
    ///
    /// # Panics
    /// If nobody has this name.
    pub fn person(&self, username: &str) -> &Person {
        let person = self.accounts.iter().find(|person| person.username == username);
        person.unwrap_or_else(|| panic!("{username} is not of this world"))
    }

    /// Where the log has to begin, so that new messages come behind these.
    pub fn first_sequence(&self) -> u64 {
        self.messages.iter().map(|line| line.id).max().unwrap_or(0) + 1
    }

    /// Brings it all into the stores.
    pub async fn import(&self, accounts: &impl AccountStore, messages: &impl MessageStore) {
        let people: Vec<Account> = self.accounts.iter().map(Person::to_account).collect();
        let rooms: Vec<Conversation> = self.conversations.iter().map(|room| self.conversation(room)).collect();
        let lines: Vec<Message> = self.messages.iter().map(|line| self.message(line)).collect();
        accounts.import_accounts(&people).await.expect("the store takes accounts");
        accounts.import_conversations(&rooms).await.expect("the store takes conversations");
        messages.import(&lines).await.expect("the store takes messages");
    }

    fn conversation(&self, room: &Room) -> Conversation {
        let participants = room
            .participants
            .iter()
            .map(|&id| Participant { id: account_id(id), username: self.username(id).to_owned() })
            .collect();
        Conversation { id: conversation_id(room.id), created_at: timestamp(room.created_at), participants }
    }

    fn message(&self, line: &Line) -> Message {
        Message {
            id: MessageId::new(line.id).expect("an id of a message"),
            conversation: conversation_id(line.conversation),
            sender: account_id(line.sender),
            sender_name: self.username(line.sender).to_owned(),
            content: if line.is_deleted { Some(String::new()) } else { line.content.clone() },
            attachment: Some(line.attachment.clone()).filter(|path| !path.is_empty()),
            timestamp: timestamp(line.timestamp),
            is_read: line.is_read,
            read_at: line.read_at.map(|at| timestamp(Some(at))),
            is_deleted: line.is_deleted,
            edited_at: line.edited_at.map(|at| timestamp(Some(at))),
        }
    }

    fn username(&self, id: u64) -> &str {
        let person = self.accounts.iter().find(|person| person.id == id);
        &person.expect("only accounts of this world take part").username
    }
}

impl Line {
    /// Something that somebody said in a conversation.
    pub fn new(id: u64, conversation: u64, sender: u64) -> Self {
        Self {
            id,
            conversation,
            sender,
            content: some_content(),
            attachment: String::new(),
            timestamp: None,
            is_read: false,
            read_at: None,
            is_deleted: false,
            edited_at: None,
        }
    }
}

impl Person {
    /// Somebody with a password, and without an email.
    pub fn new(id: u64, username: &str) -> Self {
        Self {
            id,
            username: username.to_owned(),
            email: String::new(),
            is_active: true,
            password: common_password(),
            profile_types: Vec::new(),
        }
    }

    /// A token as they get it when they log in.
    pub fn access_token(&self) -> String {
        self.mint(Lifetimes::default())
    }

    /// The same, good for so many seconds.
    pub fn access_token_lasting(&self, seconds: u64) -> String {
        self.mint(Lifetimes { access: Duration::from_secs(seconds), ..Lifetimes::default() })
    }

    fn mint(&self, lifetimes: Lifetimes) -> String {
        let key = SigningKey::hmac(SIGNING_KEY.as_bytes()).expect("the key is long enough");
        let subject = Subject {
            account: account_id(self.id),
            username: self.username.clone(),
            email: self.email.clone(),
            profile_types: self.profile_types.clone(),
        };
        Minter::new(&key, lifetimes).access(&subject, Timestamp::now()).token
    }

    fn to_account(&self) -> Account {
        let password_hash = match self.password.as_deref() {
            Some(PASSWORD) => PASSWORD_HASH,
            Some(_) | None => UNUSABLE_PASSWORD,
        };
        Account {
            id: account_id(self.id),
            username: self.username.clone(),
            email: self.email.clone(),
            password_hash: password_hash.to_owned(),
            is_active: self.is_active,
            profile_types: self.profile_types.clone(),
        }
    }
}

fn account_id(id: u64) -> AccountId {
    AccountId::new(id).expect("an id of an account")
}

fn conversation_id(id: u64) -> ConversationId {
    ConversationId::new(id).expect("an id of a conversation")
}

fn timestamp(at: Option<jiff::Timestamp>) -> Timestamp {
    const SOME_DAY: i64 = 1_763_028_000_000_000;
    Timestamp::from_micros(at.map_or(SOME_DAY, jiff::Timestamp::as_microsecond))
}

fn yes() -> bool {
    true
}

fn common_password() -> Option<String> {
    Some(PASSWORD.to_owned())
}

fn some_content() -> Option<String> {
    Some("imported".to_owned())
}

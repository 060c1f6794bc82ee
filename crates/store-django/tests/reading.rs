//! Django's rows as Natter has them, read from both kinds of databases.

#[path = "../../store-pg/tests/cluster/mod.rs"]
mod cluster;
mod django;

use natter_model::id::{AccountId, ConversationId, MessageId};
use natter_model::timestamp::Timestamp;
use natter_store::accounts::{Account, Conversation, KnownToken, Participant, RefreshToken};
use natter_store::messages::Message;
use natter_store_django::django::Extent;
use natter_store_django::tables::Part;

use crate::django::{ALL, FIRST, Kind, Site, account, conversation, message, on_both, sorted};

/// 2025-11-13 10:05:00 UTC.
const TEN_PAST: i64 = 1_763_028_300_000_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(TEN_PAST + micros)
}

fn account_id(id: u64) -> AccountId {
    AccountId::new(id).expect("a good id")
}

fn participant(id: u64, username: &str) -> Participant {
    Participant { id: account_id(id), username: username.to_owned() }
}

fn joins(conversation: i64, account: i64) -> String {
    format!(
        "INSERT INTO chat_conversation_participants (conversation_id, account_id) VALUES ({conversation}, {account});"
    )
}

/// One with everything, for conversation 9 of account 4.
fn full_message() -> Message {
    Message {
        id: MessageId::new(12).expect("a good id"),
        conversation: ConversationId::new(9).expect("a good id"),
        sender: account_id(4),
        sender_name: "ana".to_owned(),
        content: Some("  Grüße 😀 ".to_owned()),
        attachment: Some("chat_attachments/a.pdf".to_owned()),
        timestamp: at(123_456),
        is_read: true,
        read_at: Some(at(0)),
        is_deleted: true,
        edited_at: Some(at(1)),
    }
}

on_both! {
    /// In every part, to the microsecond.
    async fn rows_come_as_they_are(kind) {
        let site = Site::new(kind).await;
        site.run(&format!("{}{}{}{}{}{}{}", account(4, "ana"), account(5, "bob"), conversation(9), conversation(10),
            joins(9, 5), joins(9, 4), message(11, 9, 5))).await;
        site.run("
            UPDATE accounts_account SET email = 'Ana@Example.com', is_active = FALSE, password = '!x' WHERE id = 4;
            INSERT INTO profiles_profile (id, profile_type, account_id)
            VALUES (7, 'trainer', 4), (6, 'gym', 4), (8, 'store', 5);
            INSERT INTO chat_message (id, content, attachment, timestamp, is_read, read_at, is_deleted, edited_at,
                conversation_id, sender_id)
            VALUES (12, '  Grüße 😀 ', 'chat_attachments/a.pdf', '2025-11-13 10:05:00.123456', TRUE,
                '2025-11-13 10:05:00', TRUE, '2025-11-13 10:05:00.000001', 9, 4),
                (13, NULL, NULL, '2025-11-13 10:05:00', FALSE, NULL, FALSE, NULL, 9, 4);").await;
        let django = site.open().await;

        let (accounts, unfit) = sorted(django.accounts(FIRST, ALL).await.expect("the database answers"));
        let ana = Account {
            id: account_id(4), username: "ana".to_owned(), email: "Ana@Example.com".to_owned(),
            password_hash: "!x".to_owned(), is_active: false,
            profile_types: vec!["gym".to_owned(), "trainer".to_owned()],
        };
        assert_eq!((&accounts[0], accounts.len(), unfit.len()), (&ana, 2, 0));
        assert_eq!((accounts[1].is_active, accounts[1].profile_types.as_slice()), (true, &["store".to_owned()][..]));

        let (conversations, unfit) = sorted(django.conversations(FIRST, ALL).await.expect("the database answers"));
        let of = |id, participants| Conversation {
            id: ConversationId::new(id).expect("a good id"), created_at: at(0), participants,
        };
        assert_eq!(conversations, [of(9, vec![participant(4, "ana"), participant(5, "bob")]), of(10, vec![])]);
        assert!(unfit.is_empty());

        let (messages, unfit) = sorted(django.messages(FIRST, i64::MAX, ALL).await.expect("the database answers"));
        assert_eq!(messages[1], full_message());
        let plain = Message {
            id: MessageId::new(13).expect("a good id"), content: None, attachment: None, timestamp: at(0),
            is_read: false, read_at: None, is_deleted: false, edited_at: None, ..full_message()
        };
        assert_eq!(messages[2], plain);
        assert_eq!((messages[0].content.as_deref(), &messages[0].attachment), (Some("said"), &None));
        assert!(unfit.is_empty());
    }
}

on_both! {
    /// By id, and a full page tells where the next one goes on.
    async fn pages_end_where_they_are_told_to(kind) {
        let site = Site::new(kind).await;
        let rows: Vec<String> = (1..=5).map(|id| account(id, &format!("a{id}")) + &conversation(id) + &joins(id, 1)
            + &joins(id, 2) + &message(10 * id, id, id)).collect();
        site.run(&rows.concat()).await;
        let django = site.open().await;
        let page = django.accounts(2, 2).await.expect("the database answers");
        assert_eq!((page.next, page.rows.len()), (Some(4), 2));
        let page = django.conversations(2, 2).await.expect("the database answers");
        assert_eq!((page.next, page.rows.len()), (Some(4), 2));
        let page = django.conversations(4, 2).await.expect("the database answers");
        assert_eq!((page.next, page.rows.len()), (None, 1));
        let page = django.messages(10, 40, 2).await.expect("the database answers");
        assert_eq!((page.next, page.rows.len()), (Some(30), 2));
        let page = django.messages(30, 40, 2).await.expect("the database answers");
        assert_eq!((page.next, page.rows.len()), (None, 1));
        let extent = async |after, through| django.extent(Part::Messages, after, through).await;
        assert_eq!(extent(FIRST, i64::MAX).await.expect("it answers"), Extent { n_rows: 5, highest: 50 });
        assert_eq!(extent(10, 40).await.expect("it answers"), Extent { n_rows: 3, highest: 40 });
        assert_eq!(extent(50, i64::MAX).await.expect("it answers"), Extent::default());
    }
}

on_both! {
    /// Participants and senders are profiles; their accounts take their place.
    async fn profiles_become_their_accounts(kind) {
        let site = Site::later(kind).await;
        site.run(&[account(4, "ana"), account(5, "bob"), conversation(9), conversation(10), conversation(11)].concat())
            .await;
        site.run("
            UPDATE accounts_account SET admin_deleted = TRUE WHERE id = 5;
            INSERT INTO profiles_profile (id, profile_type, account_id)
            VALUES (70, 'gym', 4), (71, 'trainer', 4), (80, 'trainee', 5);
            INSERT INTO chat_conversation_participants (id, conversation_id, profile_id)
            VALUES (1, 9, 71), (2, 9, 80), (3, 10, 70), (4, 10, 71), (5, 11, 70), (6, 11, 71), (7, 11, 80);").await;
        site.run(&[message(1, 9, 71), message(2, 9, 80), message(3, 9, 4)].concat()).await;
        let django = site.open().await;

        let (accounts, _) = sorted(django.accounts(FIRST, ALL).await.expect("the database answers"));
        assert_eq!([accounts[0].is_active, accounts[1].is_active], [true, false], "an admin deleted bob");
        let (conversations, unfit) = sorted(django.conversations(FIRST, ALL).await.expect("the database answers"));
        let both = [participant(4, "ana"), participant(5, "bob")];
        assert_eq!(conversations.iter().map(|fit| fit.id.get()).collect::<Vec<_>>(), [9, 11]);
        assert!(conversations.iter().all(|fit| fit.participants == both), "{conversations:?}");
        assert_eq!(unfit, ["conversation 10: all who take part are profiles of one account, 4"]);
        let (messages, unfit) = sorted(django.messages(FIRST, i64::MAX, ALL).await.expect("the database answers"));
        let senders: Vec<_> = messages.iter().map(|said| (said.sender.get(), said.sender_name.as_str())).collect();
        assert_eq!(senders, [(4, "ana"), (5, "bob")]);
        assert_eq!(unfit, ["message 3: its sender 4 is not there"]);
    }
}

on_both! {
    /// Each row by itself, with its id and the rule that it breaks.
    async fn rows_that_do_not_fit_are_named(kind) {
        let site = Site::new(kind).await;
        let beyond = 1_i64 << 53;
        site.run(&[account(4, "ana"), account(-4, "below"), account(beyond, "beyond"), account(6, ""),
            conversation(9), conversation(10), conversation(11), joins(10, 99), joins(11, beyond),
            message(1, 9, 4), message(2, 99, 4), message(3, 9, 99), message(beyond, 9, 4)].concat()).await;
        let django = site.open().await;
        let limits = "does not lie between 1 and 9007199254740991";
        let (accounts, unfit) = sorted(django.accounts(FIRST, ALL).await.expect("the database answers"));
        assert_eq!(accounts.len(), 1);
        assert_eq!(unfit[0], format!("account -4: its id -4 {limits}"));
        assert_eq!(unfit[1], "account 6: a username has 1 to 150 characters");
        assert_eq!(unfit[2], format!("account {beyond}: its id {beyond} {limits}"));
        let (conversations, unfit) = sorted(django.conversations(FIRST, ALL).await.expect("the database answers"));
        assert_eq!(conversations.len(), 1);
        assert_eq!(unfit, ["conversation 10: its participant 99 is not there".to_owned(),
            format!("conversation 11: the account {beyond} {limits}")]);
        let (messages, unfit) = sorted(django.messages(FIRST, i64::MAX, ALL).await.expect("the database answers"));
        assert_eq!(messages.len(), 1);
        assert_eq!(unfit, ["message 2: its conversation 99 is not there".to_owned(),
            "message 3: its sender 99 is not there".to_owned(), format!("message {beyond}: its id {beyond} {limits}")]);
    }
}

/// SQLite checks nothing.
#[tokio::test]
async fn what_only_sqlite_stores_is_named() {
    let site = Site::new(Kind::Sqlite).await;
    site.run(&[account(4, "ana"), account(5, &"x".repeat(151)), account(6, "nul"), conversation(9)].concat()).await;
    site.run(&(1..=6).map(|id| message(id, 9, 4)).collect::<String>()).await;
    site.run(
        "
        UPDATE accounts_account SET username = 'n' || char(0) || 'l' WHERE id = 6;
        UPDATE chat_message SET content = 'a' || char(0) WHERE id = 1;
        UPDATE chat_message SET content = X'ff' WHERE id = 2;
        UPDATE chat_message SET timestamp = 'yesterday' WHERE id = 3;
        UPDATE chat_message SET edited_at = '2025-13-01 00:00:00' WHERE id = 4;
        UPDATE chat_message SET is_read = 'maybe' WHERE id = 5;",
    )
    .await;
    let django = site.open().await;
    let (accounts, unfit) = sorted(django.accounts(FIRST, ALL).await.expect("the database answers"));
    assert_eq!((accounts.len(), unfit.len()), (1, 2), "{unfit:?}");
    assert_eq!(unfit[1], "account 6: its username contains U+0000");
    let (messages, unfit) = sorted(django.messages(FIRST, i64::MAX, ALL).await.expect("the database answers"));
    assert_eq!(messages.iter().map(|message| message.id.get()).collect::<Vec<_>>(), [6]);
    for (unfit, (id, part)) in
        unfit.iter().zip([(1, "U+0000"), (2, "content"), (3, "timestamp"), (4, "edited_at"), (5, "is_read")])
    {
        assert!(unfit.starts_with(&format!("message {id}: ")) && unfit.contains(part), "{unfit}");
    }
}

/// Postgres has moments that no calendar has.
#[tokio::test]
async fn times_beyond_all_calendars_are_named() {
    let site = Site::new(Kind::Postgres).await;
    site.run(&[account(4, "ana"), conversation(9), message(1, 9, 4), message(2, 9, 4), message(3, 9, 4)].concat())
        .await;
    site.run(
        "
        UPDATE chat_message SET timestamp = 'infinity' WHERE id = 1;
        UPDATE chat_message SET read_at = '-infinity' WHERE id = 2;
        UPDATE chat_message SET edited_at = '10000-01-01' WHERE id = 3;",
    )
    .await;
    let page = site.open().await.messages(FIRST, i64::MAX, ALL).await.expect("the database answers");
    let (messages, unfit) = sorted(page);
    assert_eq!((messages.len(), unfit.len()), (0, 3), "{unfit:?}");
}

on_both! {
    /// Those that somebody could still use.
    async fn refresh_tokens_are_read_with_whether_they_are_revoked(kind) {
        let site = Site::new(kind).await;
        site.run(&account(4, "ana")).await;
        site.run("
            INSERT INTO token_blacklist_outstandingtoken (id, token, expires_at, user_id, jti)
            VALUES (1, 't', '2020-01-01 00:00:00', 4, 'expired'), (2, 't', '2125-01-01 00:00:00', 4, 'good'),
                (3, 't', '2125-01-01 00:00:00.5', 4, 'taken back'), (4, 't', '2125-01-01 00:00:00', NULL, 'nobody''s');
            INSERT INTO token_blacklist_blacklistedtoken (id, blacklisted_at, token_id)
            VALUES (1, '2025-01-01 00:00:00', 3);").await;
        let page = site.open().await.refresh_tokens(FIRST, ALL).await.expect("the database answers");
        let known = |jti: &str, micros: i64, is_revoked| KnownToken {
            token: RefreshToken {
                jti: jti.to_owned(), account: account_id(4),
                expires_at: Timestamp::from_micros(4_891_363_200_000_000 + micros),
            },
            is_revoked,
        };
        assert_eq!(sorted(page).0, [known("good", 0, false), known("taken back", 500_000, true)]);
    }
}

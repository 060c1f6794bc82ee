//! What is told about tables that are not Django's, or have other names.

#[path = "../../store-pg/tests/cluster/mod.rs"]
mod cluster;
mod django;

use natter_store_django::database::Access;
use natter_store_django::django::Django;
use natter_store_django::error::{DjangoError, LayoutError};
use natter_store_django::layout::Identity;
use natter_store_django::tables::{Apps, Part, Tables};

use crate::django::{ALL, FIRST, Site, account, conversation, message, on_both, sorted};

async fn refusal(site: &Site, tables: Tables) -> LayoutError {
    match Django::open(&site.url, tables, Access::Read).await {
        Err(DjangoError::Layout(refusal)) => refusal,
        other => panic!("the tables are refused, not {other:?}"),
    }
}

on_both! {
    /// Whose ids they are is seen from the foreign keys.
    async fn whose_ids_columns_hold_is_found_out(kind) {
        let then = Site::new(kind).await.open().await.layout().clone();
        assert_eq!((then.participants, then.senders), (Identity::Accounts, Identity::Accounts));
        assert!(then.has_profiles && then.has_tokens && !then.has_admin_deleted);
        let later = Site::later(kind).await.open().await.layout().clone();
        assert_eq!((later.participants, later.senders), (Identity::Profiles, Identity::Profiles));
        assert!(later.has_admin_deleted);
    }
}

on_both! {
    /// With the part that it would hold, so that whoever asks can say what to set.
    async fn a_table_or_column_that_is_missing_is_named(kind) {
        let site = Site::new(kind).await;
        let apps = Apps { chat: "talk".to_owned(), ..Apps::default() };
        let refused = refusal(&site, Tables::of(&apps)).await;
        assert_eq!(refused.part(), Part::Conversations);
        assert_eq!(refused.to_string(), "there is no table `talk_conversation`");
        site.run("ALTER TABLE chat_message RENAME COLUMN edited_at TO changed_at;").await;
        let refused = refusal(&site, Tables::default()).await;
        assert_eq!(refused.to_string(), "the table `chat_message` has no column `edited_at`");
        site.run("ALTER TABLE profiles_profile RENAME TO elsewhere;").await;
        site.run("ALTER TABLE chat_message RENAME COLUMN changed_at TO edited_at;").await;
        assert!(!site.open().await.layout().has_profiles, "nobody needs them");
    }
}

on_both! {
    /// Something else than an account or a profile.
    async fn a_participant_that_is_neither_is_told(kind) {
        let site = Site::new(kind).await;
        site.run("DROP TABLE chat_conversation_participants;
            CREATE TABLE chat_conversation_participants (id bigint PRIMARY KEY, conversation_id bigint NOT NULL,
                message_id bigint NOT NULL REFERENCES chat_message (id));").await;
        let refused = refusal(&site, Tables::default()).await;
        assert!(refused.to_string().contains("`message_id`") && refused.to_string().contains("`chat_message`"), "{refused}");
        site.run("ALTER TABLE chat_conversation RENAME TO rooms;").await;
        let tables = Tables { conversations: "rooms".to_owned(), ..Tables::default() };
        assert_eq!(refusal(&site, tables).await.part(), Part::Participants);
    }
}

on_both! {
    /// Another name, another model of accounts, whatever stands in the names.
    async fn tables_may_have_other_names(kind) {
        let site = Site::new(kind).await;
        site.run(&[account(4, "ana"), conversation(9), message(1, 9, 4)].concat()).await;
        site.run("ALTER TABLE accounts_account RENAME TO \"auth \"\"user\";
            ALTER TABLE chat_conversation_participants RENAME COLUMN account_id TO user_id;
            INSERT INTO chat_conversation_participants (conversation_id, user_id) VALUES (9, 4);").await;
        let tables = Tables { accounts: "auth \"user".to_owned(), ..Tables::default() };
        let django = Django::open(&site.url, tables, Access::Read).await.expect("the tables are Django's");
        assert_eq!(django.layout().participant_column, "user_id");
        let (conversations, _) = sorted(django.conversations(FIRST, ALL).await.expect("the database answers"));
        assert_eq!(conversations[0].participants[0].username, "ana");
        let (messages, _) = sorted(django.messages(FIRST, i64::MAX, ALL).await.expect("the database answers"));
        assert_eq!(messages[0].sender_name, "ana");
        assert_eq!(sorted(django.accounts(FIRST, ALL).await.expect("the database answers")).0.len(), 1);
    }
}

/// Without its password, and no file is made.
#[tokio::test]
async fn a_bad_url_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = folder.path().join("missing.sqlite3").display().to_string();
    for url in ["mysql://u:hunter2@h/db", "postgres://u:hunter2@h:port/db", &missing] {
        let error = Django::open(url, Tables::default(), Access::Read).await.expect_err(url).to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(!std::path::Path::new(&missing).exists());
}

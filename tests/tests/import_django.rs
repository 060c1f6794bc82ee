//! `natter import-django`: everything comes over, again and again, and what cannot is named.

use natter_tests::client::Client;
use natter_tests::deployment::Deployment;
use natter_tests::fixture::{Line, PASSWORD, Person, Room, World};
use natter_tests::moving::{FIRST, Move, tells};
use natter_tests::servers::postgres::query_at;
use natter_tests::stack::Shape;
use natter_tests::story;
use natter_tests::wait::until;
use serde_json::json;

/// `ana`, `bob` and `eve` have talked in conversation 1; `eve` and `bob` are alone in 7.
fn world() -> World {
    let mut world = World { accounts: World::of_strangers().accounts, ..World::of_a_fleet() };
    world.accounts[0].profile_types = vec!["trainer".to_owned(), "gym".to_owned()];
    world.accounts[2].is_active = false;
    world.conversations.push(Room { id: 7, participants: vec![2, 3], created_at: None });
    world.messages.push(Line::new(9, 7, 2));
    world
}

story! {
    /// Somebody logs in with the password from Django, reads what was said there and goes on; a comparison sees the same on
    /// both sides, and later what has changed since.
    async fn everything_comes_over(shape: Shape) {
        let mut world = world();
        world.accounts.push(Person::new(4, "zoe"));
        let moving = Move::begins(shape, &world).await;
        let said = moving.succeeds(&["--dry-run"]);
        tells(&said, &["Accounts: 4 read, 4 new or changed.", "Conversations: 2 read, 2 new or changed.",
            "Messages: 6 read, 6 new or changed."]);
        tells(&moving.succeeds(&[]), &["Accounts: 4 read, 4 new or changed.", "Messages: 6 read."]);
        let same = ["Accounts: 4 read, 4 the same.", "Conversations: 2 read, 2 the same.", "Messages: 6 read, 6 the same."];
        tells(&moving.succeeds(&["--check"]), &same);
        tells(&moving.succeeds(&["--dry-run"]), &["Accounts: 4 read.", "Conversations: 2 read.", "Messages: 6 read."]);
        tells(&moving.succeeds(&[]), &["Accounts: 4 read.", "Conversations: 2 read."]);
        tells(&moving.succeeds(&["--check"]), &same);

        let check = moving.command(&["--check"]);
        let (stack, _site) = moving.starts(shape, &world).await;
        let mut ana = Client::log_in(stack.clone(), "ana", PASSWORD).await;
        ana.joins(1).await;
        let history = ana.history().await;
        assert_eq!(history, ["the first of all", "read by somebody", "edited by bob", "with a plan"]);
        let new = ana.says("and now at Natter").await;
        assert!(new.message_id() >= FIRST);
        ana.sends(json!({"type": "edit", "message_id": 1, "content": "the first, edited"})).await;
        ana.hears_of("edit", |frame| frame.message_id() == 1).await;
        ana.sends(json!({"type": "read", "message_id": 3})).await;
        ana.hears_of("read_receipt", |frame| frame.message_id() == 3).await;
        let mut bob = stack.client("bob");
        assert_eq!(bob.starts_a_chat_with(&stack.client("ana")).await, 1, "they had one at Django");
        assert!(bob.starts_a_chat_with(&stack.client("zoe")).await >= FIRST);
        bob.joins(1).await;
        assert_eq!(bob.history().await[0], "the first, edited");
        if shape == Shape::Local {
            stack.deployment().await.service("natter").terminate().await;
        }
        let said = check.run().succeeded();
        tells(&said, &["Accounts: 4 read, 3 the same, 1 changed here since.",
            "Messages: 6 read, 4 the same, 2 changed here since."]);
    }
}

story! {
    /// Named with the reason, in a dry run and in a real one, which leaves them and takes all others.
    async fn what_does_not_fit_is_named_and_left(shape: Shape) {
        let moving = Move::begins(shape, &world()).await;
        let mut named = vec!["Note: account 2: its password hash is kept, but of a kind that nobody can log in with"];
        moving.at_django("UPDATE accounts_account SET password = 'md5$salt$5ab3' WHERE id = 2");
        match shape {
            Shape::Local => {
                moving.at_django("UPDATE accounts_account SET username = 'n' || char(0) WHERE id = 3;
                    UPDATE chat_message SET content = 'a' || char(0) || 'b' WHERE id = 2;
                    UPDATE chat_message SET timestamp = 'yesterday' WHERE id = 3;
                    UPDATE chat_message SET conversation_id = 99 WHERE id = 4;");
                named.extend(["Left: account 3: its username contains U+0000",
                    "Left: conversation 1: its participant 3 cannot be read: its username contains U+0000",
                    "Left: conversation 7: its participant 3 cannot be read: its username contains U+0000",
                    "Left: message 1: its conversation 1 is left",
                    "Left: message 2: a text contains U+0000",
                    "Left: message 3: its timestamp cannot be read: a time that is not written as Django writes times",
                    "Left: message 4: its conversation 99 is not there",
                    "Left: message 5: its sender 3 cannot be read: its username contains U+0000",
                    "Left: message 9: its conversation 7 is left"]);
            }
            Shape::Real => {
                moving.at_django("SET session_replication_role = replica;
                    UPDATE chat_message SET timestamp = 'infinity' WHERE id = 2;
                    UPDATE chat_message SET id = 9007199254740992 WHERE id = 3;
                    UPDATE chat_message SET sender_id = 99 WHERE id = 4;
                    INSERT INTO chat_conversation_participants (conversation_id, account_id) VALUES (7, 99);");
                named.extend(["Left: message 2: its timestamp cannot be read: a time beyond all calendars",
                    "Left: message 4: its sender 99 is not there",
                    "Left: message 9007199254740992: its id 9007199254740992 does not lie between 1 and 9007199254740991",
                    "Left: conversation 7: its participant 99 is not there",
                    "Left: message 9: its conversation 7 is left"]);
            }
        }
        for more in [&["--dry-run"][..], &[], &[]] {
            let (said, complaint) = moving.fails_with(1, more);
            tells(&said, &named);
            assert!(complaint.contains("were left or differ"), "{complaint}");
        }
        let (said, _) = moving.fails_with(1, &["--check"]);
        tells(&said, &[if shape == Shape::Local { "Accounts: 3 read, 2 the same, 1 left." } else { "Accounts: 3 read, 3 the same." }]);
        assert!(!said.contains("Differs"), "{said}");
    }
}

story! {
    /// What has changed at Django since comes over too, old rows included.
    async fn it_catches_up(shape: Shape) {
        let moving = Move::begins(shape, &world()).await;
        moving.succeeds(&[]);
        moving.at_django("
            UPDATE accounts_account SET username = 'ana-maria', email = 'ana@example.com', password = '!' WHERE id = 1;
            UPDATE chat_message SET content = 'edited later', edited_at = '2025-11-14 08:00:00' WHERE id = 1;
            UPDATE chat_message SET content = '', is_deleted = TRUE WHERE id = 2;
            UPDATE chat_message SET is_read = TRUE, read_at = '2025-11-14 08:00:00' WHERE id = 9;
            DELETE FROM chat_conversation_participants WHERE conversation_id = 1 AND account_id = 3;
            INSERT INTO chat_conversation_participants (conversation_id, account_id) VALUES (7, 1);
            INSERT INTO chat_message (content, attachment, timestamp, is_read, is_deleted, conversation_id, sender_id)
            SELECT 'new', '', '2025-11-14 09:00:00', FALSE, FALSE, 7, id FROM accounts_account;");
        let (said, _) = moving.fails_with(1, &["--check"]);
        tells(&said, &["Differs: account 1 differs in username, email, password",
            "Differs: conversation 1 has account 3, who takes no part at Django",
            "Differs: conversation 7 lacks account 1, who takes part at Django",
            "Differs: message 1 differs in sender_name, content, edited_at",
            "Differs: message 2 differs in content, is_deleted",
            "Differs: message 9 differs in is_read, read_at",
            "Messages: 9 read, 2 the same, 7 different."]);
        let said = moving.succeeds(&["--without-messages"]);
        tells(&said, &["Note: conversation 1: account 3 takes part no longer", "Accounts: 3 read, 1 new or changed."]);
        assert!(!said.contains("Messages"), "{said}");
        tells(&moving.succeeds(&["--since-id", "9"]), &["Messages: 4 read."]);
        let (said, _) = moving.fails_with(1, &["--check"]);
        tells(&said, &["Accounts: 3 read, 3 the same.", "Conversations: 2 read, 2 the same.",
            "Messages: 9 read, 6 the same, 3 different."]);
        moving.succeeds(&[]);
        tells(&moving.succeeds(&["--check"]), &["Messages: 9 read, 9 the same."]);
    }
}

story! {
    /// Only if asked to; through the log, so that it is gone for everybody.
    async fn what_is_gone_from_django_can_be_deleted(shape: Shape) {
        let world = world();
        let moving = Move::begins(shape, &world).await;
        moving.succeeds(&[]);
        moving.at_django("
            DELETE FROM chat_message WHERE id IN (3, 4, 9);
            DELETE FROM chat_conversation_participants WHERE conversation_id = 7;
            DELETE FROM chat_conversation WHERE id = 7;");
        moving.succeeds(&[]);
        let (said, _) = moving.fails_with(1, &["--check"]);
        tells(&said, &["Differs: conversation 7 is here, but not at Django (--delete-gone ends it)",
            "Differs: message 3 is here, but not at Django (--delete-gone deletes it)",
            "Messages: 3 read, 3 the same, 1 changed here since, 1 different."]);
        tells(&moving.succeeds(&["--delete-gone"]), &["Conversations: 1 read, 1 deleted here, which are gone from Django.",
            "Messages: 3 read, 1 deleted here, which are gone from Django."]);
        let (stack, _site) = moving.starts(shape, &world).await;
        let mut bob = stack.client("bob");
        bob.get("/api/chat/conversations/7/").await.expect_status(404);
        bob.joins(1).await;
        assert_eq!(bob.history().await, ["the first of all", "read by somebody", "with a plan"]);
    }
}

story! {
    /// What was deleted at Natter, and who was removed there, does not come back.
    async fn what_ended_here_stays_ended(shape: Shape) {
        let world = world();
        let moving = Move::begins(shape, &world).await;
        moving.succeeds(&[]);
        let (again, check) = (moving.command(&[]), moving.command(&["--check"]));
        let (stack, _site) = moving.starts(shape, &world).await;
        let ana = stack.client("ana");
        stack.client("bob").delete("/api/chat/conversations/7/").await.expect_status(204);
        let remove = ["participant", "remove", "--conversation", "1", "--account", "eve"];
        stack.deployment().await.natter(remove).run().succeeded();
        if shape == Shape::Local {
            stack.deployment().await.service("natter").terminate().await;
        }
        let passed_over = "passed over, which are Natter's own or were deleted here";
        let lines = [format!("Conversations: 2 read, 1 {passed_over}."), format!("Messages: 6 read, 1 {passed_over}.")];
        tells(&again.run().succeeded(), &[&lines[0], &lines[1]]);
        let lines = [format!("Conversations: 2 read, 1 changed here since, 1 {passed_over}."),
            format!("Messages: 6 read, 5 the same, 1 {passed_over}.")];
        tells(&check.run().succeeded(), &[&lines[0], &lines[1]]);
        if shape == Shape::Local {
            stack.comes_back().await;
        }
        let list = ana.get("/api/chat/conversations/").await.expect_status(200);
        assert_eq!(list.body[0]["participants"], json!([1, 2]));
    }
}

/// Natter's own ids must not be Django's, now or later.
#[tokio::test]
async fn ids_that_meet_are_refused_with_the_mend() {
    let world = world();
    let moving = Move::begins_at(Shape::Real, &world, 5).await;
    let (_, complaint) = moving.fails_with(2, &[]);
    assert!(complaint.contains("begins at 5") && complaint.contains("up to 9 (to a message)"), "{complaint}");
    assert!(complaint.contains("`natter repair --past 1099511627775`"), "{complaint}");
    let (said, _) = moving.fails_with(1, &["--dry-run"]);
    assert!(said.contains("Refused: NATS_URL: ") && said.contains("Messages: 6 read, 6 new or changed."), "{said}");
    moving.natter.natter(["repair", "--past", "1099511627775"]).run().succeeded();
    moving.succeeds(&[]);

    let moving = Move::begins_at(Shape::Real, &world, 1000).await;
    let (_, complaint) = moving.fails_with(2, &[]);
    assert!(
        complaint.contains("leaves Django 990 ids") && complaint.contains("--room asks for 1000000"),
        "{complaint}"
    );
    moving.succeeds(&["--room", "500"]);
}

story! {
    /// Somebody else's accounts may have the ids of Django's.
    async fn a_natter_with_accounts_of_its_own_is_refused(shape: Shape) {
        let moving = Move::begins(shape, &world()).await;
        if shape == Shape::Local {
            let mut natter = Deployment::local(FIRST);
            natter.start_services();
            natter.is_ready().await;
            natter.service("natter").terminate().await;
            natter.import(&World::of_strangers()).await;
            let refused = natter.natter(["import-django", "--from", &moving.database]).run();
            assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
            assert!(refused.stderr.contains("NATTER_DATA: this Natter has made accounts"), "{}", refused.stderr);
        } else {
            moving.natter.import(&World::of_strangers()).await;
            let (_, complaint) = moving.fails_with(2, &[]);
            assert!(complaint.contains("AUTHZ_DATABASE_URL: this Natter has made accounts"), "{complaint}");
        }
    }
}

/// What cannot be understood is told with the setting that mends it.
#[tokio::test]
async fn a_bad_setting_is_named() {
    let moving = Move::begins(Shape::Local, &World::of_strangers()).await;
    let (_, complaint) = moving.fails_with(2, &["--chat-app", "talk"]);
    assert!(complaint.contains("--conversations-table: there is no table `talk_conversation`"), "{complaint}");
    let (_, complaint) = moving.fails_with(2, &["--messages-table", "accounts_account"]);
    assert!(complaint.contains("--messages-table: the table `accounts_account` has no column"), "{complaint}");
    let nothing = moving.natter.natter(["import-django", "--from", "/nowhere/db.sqlite3"]).run();
    assert_eq!(nothing.status.code(), Some(2), "{}", nothing.stderr);
    let none = moving.natter.natter(["import-django", "--from", &moving.database, "--check"]).run();
    assert!(none.stderr.contains("NATTER_DATA"), "{}", none.stderr);
    assert!(!moving.natter.data().exists(), "nothing was made");
}

/// Nothing is lost by it, and nothing comes twice.
#[tokio::test]
async fn it_can_be_stopped_and_started_again() {
    let moving = Move::begins(Shape::Real, &world()).await;
    moving.at_django(
        "INSERT INTO chat_message (content, attachment, timestamp, is_read, is_deleted, conversation_id, sender_id)
         SELECT 'number ' || n, '', '2025-11-14 09:00:00', FALSE, FALSE, 1, 1 FROM generate_series(1, 100000) n",
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut import = moving.command(&[]).start(folder.path());
    let database = moving.database.replace("/django?", "/postgres?");
    let count = || query_at(&database, "SELECT count(*) FROM persistence.messages")[0].clone();
    until("the first messages are there", async || (count() != "0").then_some(())).await;
    import.interrupt();
    assert_eq!(import.ends().await.code(), Some(1), "{}", import.log());
    assert!(import.log().contains("stopped before the end; run it again to go on"), "{}", import.log());
    assert_ne!(count(), "100006", "it was stopped in the middle");
    moving.succeeds(&[]);
    assert_eq!(count(), "100006");
    tells(&moving.succeeds(&["--check"]), &["Messages: 100006 read, 100006 the same."]);
}

story! {
    /// A token that was logged out at Django is no good at Natter.
    async fn a_revoked_refresh_token_stays_revoked(shape: Shape) {
        let world = World { accounts: vec![Person::new(1, "ana")], ..World::default() };
        let moving = Move::begins(shape, &world).await;
        moving.at_django("
            INSERT INTO token_blacklist_outstandingtoken (id, token, expires_at, user_id, jti)
            VALUES (1, 't', '2125-01-01 00:00:00', 1, 'good'), (2, 't', '2125-01-01 00:00:00', 1, 'taken back');
            INSERT INTO token_blacklist_blacklistedtoken (id, blacklisted_at, token_id) VALUES (1, '2025-01-01 00:00:00', 2);");
        tells(&moving.succeeds(&[]), &["Refresh tokens: 2 read, 2 new or changed."]);
        tells(&moving.succeeds(&["--check"]), &["Refresh tokens: 2 read, 2 the same."]);
        moving.at_django("
            INSERT INTO token_blacklist_blacklistedtoken (id, blacklisted_at, token_id) VALUES (2, '2025-01-01 00:00:00', 1);");
        let (said, _) = moving.fails_with(1, &["--check"]);
        tells(&said, &["Differs: refresh token good is revoked at Django, but not here"]);
        tells(&moving.succeeds(&["--without-messages"]), &["Refresh tokens: 2 read, 1 new or changed."]);
        moving.succeeds(&["--check"]);
    }
}

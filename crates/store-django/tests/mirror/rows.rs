//! What was said in Natter stands in Django's tables, as Django would have written it.

use natter_model::event::Body;
use natter_model::id::{AccountId, ConversationId, EventId, Position};
use natter_store::messages::Message;
use natter_store_django::mirror::{Room, Step, Why};

use crate::django::{Kind, Site, account, conversation, message, on_both, sorted};
use crate::said::{
    LOG, at, contents, deleted, edited, entry, fold, folds, heard, left_out, message_id, messages, mirror, posted,
    read, two_in_a_chat,
};

/// Everything that can be done to a message, and what becomes of each.
fn story() -> Vec<natter_model::event::Entry> {
    let file = Body::Posted {
        message: None,
        content: String::new(),
        attachment: Some("chat_attachments/a.pdf".to_owned()),
        client_id: None,
    };
    vec![
        entry(LOG, 4, 1, posted("  Grüße 😀 \n")),
        entry(LOG + 1, 5, 2, file),
        entry(LOG + 2, 4, 3, posted("wrong")),
        entry(LOG + 3, 4, 4, edited(LOG, "Grüße an alle")),
        entry(LOG + 4, 5, 5, read(LOG)),
        entry(LOG + 5, 4, 6, edited(LOG + 2, "still wrong")),
        entry(LOG + 6, 4, 7, deleted(LOG + 2)),
        entry(LOG + 7, 5, 8, read(LOG)),
    ]
}

on_both! {
    /// Each column as Django fills it; `messages` is how an import reads them.
    async fn what_is_said_becomes_rows(kind) {
        let (site, mut mirror) = two_in_a_chat(kind).await;
        folds(&mut mirror, &story()).await;
        let plain = Message {
            id: message_id(LOG),
            conversation: ConversationId::new(9).expect("a good id"),
            sender: AccountId::new(4).expect("a good id"),
            sender_name: "ana".to_owned(),
            content: Some("Grüße an alle".to_owned()),
            attachment: None,
            timestamp: at(1),
            is_read: true,
            read_at: Some(at(8)),
            is_deleted: false,
            edited_at: Some(at(4)),
        };
        let rows = messages(&site).await;
        assert_eq!(rows[0], plain);
        let file = (Some(""), Some("chat_attachments/a.pdf"), false, None, None);
        let row = &rows[1];
        assert_eq!((row.content.as_deref(), row.attachment.as_deref(), row.is_read, row.read_at, row.edited_at), file);
        let gone = &rows[2];
        assert_eq!((gone.content.as_deref(), gone.is_deleted, gone.edited_at), (Some(""), true, Some(at(6))));
        assert_eq!(rows.len(), 3);
        let standing = mirror.standing().await.expect("it answers").expect("it has begun");
        assert_eq!((standing.position, standing.is_finished), (Position::new(LOG + 7), false));
        // Not NULL.
        site.run("UPDATE chat_message SET content = 'is empty' WHERE attachment = '';").await;
        assert_eq!(contents(&site).await, ["is empty", "", "is empty"]);
    }
}

on_both! {
    /// All of it, or any part in the middle, in one batch or one by one.
    async fn folding_again_changes_nothing(kind) {
        let (site, mut mirror) = two_in_a_chat(kind).await;
        let story = story();
        folds(&mut mirror, &story).await;
        let rows = messages(&site).await;
        for from in [0, 3, 6] {
            mirror.begin_at(Position::new(LOG - 1)).await.expect("the table takes it");
            for record in &story[from..] {
                folds(&mut mirror, std::slice::from_ref(record)).await;
            }
            assert_eq!(messages(&site).await, rows, "from {from}");
        }
    }
}

on_both! {
    /// What was done in Django is there; what is done to it in Natter is done to Django's rows.
    async fn django_is_not_told_what_it_has_said(kind) {
        let (site, mut mirror) = two_in_a_chat(kind).await;
        site.run(&[message(7, 9, 4), message(8, 9, 4)].concat()).await;
        let relayed = Body::Posted { message: Some(message_id(6)), content: "gone".to_owned(), attachment: None, client_id: None };
        folds(&mut mirror, &[
            heard(entry(LOG, 4, 1, relayed)),
            heard(entry(LOG + 1, 4, 2, Body::ConversationDeleted)),
            entry(LOG + 2, 4, 200_000, edited(7, "edited in Natter")),
            entry(LOG + 3, 5, 200_000, edited(8, "forged")),
            entry(LOG + 4, 5, 200_000, deleted(8)),
            entry(LOG + 5, 5, 200_001, read(8)),
        ]).await;
        assert_eq!(contents(&site).await, ["edited in Natter", "said"]);
        assert_eq!(messages(&site).await[1].read_at, Some(at(200_001)));
    }
}

on_both! {
    /// Later by the clock is what Django has done since, unless the log brought it before.
    async fn the_log_decides_what_was_last(kind) {
        let (site, mut mirror) = two_in_a_chat(kind).await;
        folds(&mut mirror, &[entry(LOG, 4, 0, posted("said"))]).await;
        let later = "'2025-11-13 10:05:00.000005'";
        site.run(&format!("UPDATE chat_message SET content = 'Django', edited_at = {later}, is_read = TRUE, read_at = {later};"))
            .await;
        let moments = mirror.moments(&[message_id(LOG), message_id(1)]).await.expect("it answers");
        assert_eq!((moments.len(), moments[&message_id(LOG)].edited_at, moments[&message_id(LOG)].read_at),
            (1, Some(at(5)), Some(at(5))));
        let since = [entry(LOG + 1, 4, 4, edited(LOG, "Natter")), entry(LOG + 2, 5, 4, read(LOG))];
        folds(&mut mirror, &since).await;
        let row = messages(&site).await.remove(0);
        assert_eq!((row.content.as_deref(), row.read_at), (Some("Django"), Some(at(5))));

        let steps: Vec<Step<'_>> = since.iter().map(|entry| Step { entry, over: Some(at(5)) }).collect();
        let standing = Position::new(LOG + 2);
        mirror.fold(standing, standing, &steps).await.expect("the database takes it");
        let row = messages(&site).await.remove(0);
        assert_eq!((row.content.as_deref(), row.edited_at, row.read_at), (Some("Natter"), Some(at(4)), Some(at(4))));
    }
}

on_both! {
    /// However often the log holds it.
    async fn a_message_with_a_name_is_there_once(kind) {
        let (site, mut mirror) = two_in_a_chat(kind).await;
        let named = |position, name: &str| {
            let body = Body::Posted {
                message: None, content: name.to_owned(), attachment: None, client_id: Some(name.to_owned()),
            };
            let mut entry = entry(position, 4, 1, body);
            entry.event.id = EventId::of_client_id(entry.event.conversation, entry.event.actor.id, name);
            entry
        };
        let story = [named(LOG, "one"), named(LOG + 1, "two"), named(LOG + 2, "one"), named(LOG + 3, "two")];
        folds(&mut mirror, &story[..3]).await;
        folds(&mut mirror, &story).await;
        assert_eq!(contents(&site).await, ["one", "two"]);
        assert_eq!(messages(&site).await[0].id, message_id(LOG));
    }
}

on_both! {
    /// Rows go as Django's own cascade would remove them; who is removed is no participant.
    async fn conversations_end_and_participants_leave(kind) {
        let (site, mut mirror) = two_in_a_chat(kind).await;
        folds(&mut mirror, &[entry(LOG, 4, 0, posted("said")), entry(LOG + 1, 5, 1, Body::ParticipantRemoved)]).await;
        let (rooms, _) = sorted(site.open().await.conversations(0, 9).await.expect("it answers"));
        assert_eq!(rooms[0].participants.iter().map(|one| one.id.get()).collect::<Vec<_>>(), [4]);
        let after = [entry(LOG + 2, 4, 2, Body::ConversationDeleted), entry(LOG + 3, 4, 3, posted("too late"))];
        assert_eq!(left_out(&mut mirror, &after).await, [Why::NoConversation(ConversationId::new(9).expect("a good id"))]);
        assert!(messages(&site).await.is_empty());
        let (rooms, _) = sorted(site.open().await.conversations(0, 9).await.expect("it answers"));
        assert!(rooms.is_empty());
    }
}

on_both! {
    /// Its neighbours are not.
    async fn what_has_no_place_is_left_out(kind) {
        let (site, mut mirror) = two_in_a_chat(kind).await;
        site.run(&message(LOG.cast_signed() + 2, 9, 5)).await;
        let mut elsewhere = entry(LOG, 4, 1, posted("elsewhere"));
        elsewhere.event.conversation = ConversationId::new(77).expect("a good id");
        let entries = [
            elsewhere,
            entry(LOG + 1, 66, 1, posted("a stranger's")),
            entry(LOG + 2, 4, 1, posted("Django's id")),
            entry(LOG + 3, 4, 1, posted("U+0000: \0")),
            entry(LOG + 4, 4, 1, posted("good")),
        ];
        let labels: Vec<&str> = left_out(&mut mirror, &entries).await.iter().map(Why::label).collect();
        assert_eq!(labels, ["conversation", "account", "id", "refused"]);
        assert_eq!(contents(&site).await, ["said", "good"]);
    }
}

on_both! {
    /// With those who take part, as far as Django knows them.
    async fn conversations_of_natters_come_too(kind) {
        let (site, mut mirror) = two_in_a_chat(kind).await;
        let id = |id| ConversationId::new(id).expect("a good id");
        let account = |id| AccountId::new(id).expect("a good id");
        assert_eq!(mirror.lacks(&[id(9), id(LOG)]).await.expect("it answers"), [id(LOG)]);
        let room = Room { id: id(LOG), created_at: at(3), participants: vec![account(4), account(66), account(5)] };
        for _ in 0..2 {
            assert_eq!(mirror.open_room(&room).await.expect("the tables take it"), [account(66)]);
        }
        assert!(mirror.lacks(&[id(LOG)]).await.expect("it answers").is_empty());
        let (rooms, _) = sorted(site.open().await.conversations(9, 9).await.expect("it answers"));
        assert_eq!((rooms[0].id, rooms[0].created_at, rooms[0].participants.len()), (id(LOG), at(3), 2));
    }
}

/// Later versions of the chat have them take part.
#[tokio::test]
async fn profiles_take_the_place_of_accounts() {
    let site = Site::later(Kind::Postgres).await;
    site.run(&[account(4, "ana"), account(5, "bob"), conversation(9)].concat()).await;
    site.run(
        "
        ALTER TABLE chat_conversation_participants ALTER id ADD GENERATED BY DEFAULT AS IDENTITY;
        INSERT INTO profiles_profile (id, profile_type, account_id)
        VALUES (40, 'gym', 4), (41, 'trainer', 4), (50, 'trainee', 5), (51, 'trainee', 5);
        INSERT INTO chat_conversation_participants (conversation_id, profile_id) VALUES (9, 41);",
    )
    .await;
    let mut mirror = mirror(&site).await;
    mirror.begin_at(Position::new(LOG - 1)).await.expect("the table takes it");
    let id = |id| ConversationId::new(id).expect("a good id");
    let account = |id| AccountId::new(id).expect("a good id");
    let room = Room { id: id(LOG), created_at: at(3), participants: vec![account(4), account(66), account(5)] };
    assert_eq!(mirror.open_room(&room).await.expect("the tables take it"), [account(66)]);
    let mut elsewhere = entry(LOG + 3, 4, 1, posted("elsewhere"));
    elsewhere.event.conversation = room.id;
    folds(
        &mut mirror,
        &[
            entry(LOG, 4, 0, posted("of who takes part here")),
            entry(LOG + 1, 4, 1, edited(LOG, "edited")),
            entry(LOG + 2, 5, 1, posted("of somebody's oldest")),
            elsewhere,
            entry(LOG + 4, 4, 1, Body::ParticipantRemoved),
        ],
    )
    .await;
    site.run("UPDATE chat_message SET content = sender_id || ' ' || content;").await;
    assert_eq!(contents(&site).await, ["41 edited", "50 of somebody's oldest", "40 elsewhere"]);
    let (rooms, _) = sorted(site.open().await.conversations(0, 9).await.expect("it answers"));
    assert_eq!(rooms.iter().map(|room| room.participants.len()).collect::<Vec<_>>(), [0, 2]);
    assert!(
        fold(&mut mirror, &[entry(LOG + 5, 66, 0, posted("of nobody"))]).await.expect("it answers").left_out.len() == 1
    );
}

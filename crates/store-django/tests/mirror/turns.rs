//! A mirror that is stopped, cut off or overtaken: nothing is lost, and nothing is there twice.

use natter_model::event::Body;
use natter_model::id::Position;
use natter_store_django::mirror::{Mirror, MirrorError, Step};

use crate::django::{Kind, on_both};
use crate::said::{LOG, contents, entry, fold, folds, messages, mirror, posted, read, two_in_a_chat, writer};

/// Ends all connections to the database but one's own.
const CUT: &str = "
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();";

on_both! {
    /// Whoever comes second finds that the position was moved, and has written nothing.
    async fn two_mirrors_write_everything_once(kind) {
        let (site, mut one) = two_in_a_chat(kind).await;
        let mut other = mirror(&site).await;
        let before = Position::new(LOG - 1);
        let first = entry(LOG, 4, 0, posted("once"));
        let step = [Step { entry: &first, over: None }];
        one.fold(before, first.position, &step).await.expect("the database takes it");
        let overtaken = other.fold(before, Position::new(LOG + 9), &step).await;
        assert!(matches!(overtaken, Err(MirrorError::Overtaken)), "{overtaken:?}");
        folds(&mut other, &[entry(LOG + 1, 5, 1, posted("goes on"))]).await;
        assert_eq!(contents(&site).await, ["once", "goes on"]);
    }
}

/// The second waits until the first is gone, however it went.
#[tokio::test]
async fn only_one_has_its_turn() {
    let (site, mut one) = two_in_a_chat(Kind::Postgres).await;
    let mut other = mirror(&site).await;
    assert!(one.takes_its_turn().await.expect("it answers"));
    assert!(one.takes_its_turn().await.expect("it answers"), "it still has it");
    assert!(!other.takes_its_turn().await.expect("it answers"));
    site.run(CUT).await;
    let mut third = mirror(&site).await;
    assert!(third.takes_its_turn().await.expect("it answers"));
    assert!(matches!(one.takes_its_turn().await, Err(MirrorError::Unavailable(_))));
}

/// Between any two records, and while the next one is on its way.
#[tokio::test]
async fn a_mirror_that_is_cut_off_goes_on_where_it_was() {
    let (site, mut cut_off) = two_in_a_chat(Kind::Postgres).await;
    let said: Vec<String> = (0..20).map(|n| format!("word {n}")).collect();
    let story: Vec<_> = (LOG..).zip(&said).map(|(position, word)| entry(position, 4, 0, posted(word))).collect();
    for batch in story.chunks(3) {
        let (lost, _) = tokio::join!(fold(&mut cut_off, batch), site.run(CUT));
        cut_off = mirror(&site).await;
        let standing = cut_off.standing().await.expect("it answers").expect("it has begun").position;
        match lost {
            Ok(_) => assert_eq!(standing, batch[batch.len() - 1].position),
            Err(error) => assert!(matches!(error, MirrorError::Unavailable(_)), "{error}"),
        }
        let rest: Vec<_> = batch.iter().filter(|entry| entry.position > standing).cloned().collect();
        if !rest.is_empty() {
            folds(&mut cut_off, &rest).await;
        }
    }
    assert_eq!(contents(&site).await, said);
}

/// All of a batch or nothing, so that whoever folds can find out which one it was.
#[tokio::test]
async fn what_the_database_refuses_takes_its_batch_with_it() {
    let (site, mut mirror) = two_in_a_chat(Kind::Postgres).await;
    let long =
        Body::Posted { message: None, content: String::new(), attachment: Some("a".repeat(101)), client_id: None };
    let refused = fold(&mut mirror, &[entry(LOG, 4, 0, posted("good")), entry(LOG + 1, 4, 0, long)]).await;
    assert!(matches!(refused, Err(MirrorError::Rejected(_))), "{refused:?}");
    assert!(contents(&site).await.is_empty());
    let standing = mirror.standing().await.expect("it answers").expect("it has begun");
    assert_eq!(standing.position, Position::new(LOG - 1));
    folds(&mut mirror, &[entry(LOG, 4, 0, posted("good"))]).await;
}

on_both! {
    /// What Django adds then has ids behind every position that was given out, and no mirror gets in between.
    async fn django_goes_on_behind_natters_ids(kind) {
        let (site, mut mirror) = two_in_a_chat(kind).await;
        folds(&mut mirror, &[entry(LOG, 4, 0, posted("Natter")), entry(LOG + 5, 5, 1, read(LOG))]).await;
        mirror.finish(Position::new(LOG + 5)).await.expect("the tables can be moved on");
        site.run("INSERT INTO chat_message (content, attachment, timestamp, is_read, is_deleted, conversation_id, sender_id)
                  VALUES ('Django', '', '2025-11-14 10:05:00', FALSE, FALSE, 9, 4);").await;
        let rows = messages(&site).await;
        assert_eq!(rows.iter().map(|row| row.id.get()).collect::<Vec<_>>(), [LOG, LOG + 6]);
        site.run("INSERT INTO chat_conversation (created_at) VALUES ('2025-11-14 10:05:00');
                  INSERT INTO chat_conversation_participants (conversation_id, account_id) VALUES (10, 4);").await;
        let late = fold(&mut mirror, &[entry(LOG + 6, 4, 0, posted("late"))]).await;
        assert!(matches!(late, Err(MirrorError::Overtaken)), "{late:?}");
        let standing = mirror.standing().await.expect("it answers").expect("it has begun");
        assert!(standing.is_finished);
    }
}

on_both! {
    /// Rather than fail at every row.
    async fn tables_with_more_columns_are_refused(kind) {
        let (site, _) = two_in_a_chat(kind).await;
        site.run("ALTER TABLE chat_message ADD COLUMN mood varchar(9) NULL;
                  ALTER TABLE chat_message ADD COLUMN tone varchar(9) NOT NULL DEFAULT 'plain';").await;
        mirror(&site).await;
        let table = match kind {
            Kind::Postgres => "ALTER TABLE chat_message ALTER tone DROP DEFAULT;",
            Kind::Sqlite => "DROP TABLE chat_conversation; CREATE TABLE chat_conversation (id integer PRIMARY KEY,
                created_at datetime NOT NULL, tone varchar(9) NOT NULL);",
        };
        site.run(table).await;
        let refused = Mirror::open(&writer(&site).await).await;
        assert!(matches!(&refused, Err(MirrorError::Column { column, .. }) if column == "tone"), "{:?}", refused.err());
    }
}

//! How fast the store takes messages, and tells them to those who catch up. Run with
//! `cargo test -p natter-store-pg --test throughput -- --ignored --nocapture --test-threads 1`; it prints, and judges nothing.

mod cluster;

use std::time::Instant;

use natter_model::event::Actor;
use natter_model::event::Entry;
use natter_model::id::Position;
use natter_store::contract::chatter::{
    account, ana, at, bob, conversation, deleted, edited, entry, entry_in, message, posted, posted_as, read,
};
use natter_store::messages::{Deleted, Message, MessageStore as _, Order, PageNumber, PageQuery};
use natter_store_pg::PgMessages;

use crate::cluster::Cluster;

const N_BATCHES: u64 = 100;
const BATCH: u64 = 500;
const N_CONVERSATIONS: u64 = 200;
const CONTENT: &str = "A sentence of about the length that people type into a chat, give or take.";

fn batches(first: u64, make: impl Fn(u64) -> Entry) -> Vec<Vec<Entry>> {
    let entries: Vec<Entry> = (first..first + N_BATCHES * BATCH).map(make).collect();
    entries.chunks(usize::try_from(BATCH).expect("a small number")).map(<[Entry]>::to_vec).collect()
}

async fn apply(store: &PgMessages, batches: &[Vec<Entry>]) {
    for batch in batches {
        assert_eq!(store.apply(batch).await.expect("the store takes the batch"), []);
    }
}

async fn measure(what: &str, n: u64, work: impl Future<Output = ()>) {
    let start = Instant::now();
    work.await;
    let seconds = start.elapsed().as_secs_f64();
    println!("{what}: {n} in {seconds:.2} s, {:.0}/s", n as f64 / seconds);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn throughput() {
    let cluster = Cluster::shared();
    let url = cluster.database().await;
    PgMessages::migrate(&url).await.expect("the database can be migrated");
    let store = PgMessages::connect_lazy(&url).expect("a good URL");
    let n = N_BATCHES * BATCH;

    let posts = batches(1, |id| entry_in(1 + id % N_CONVERSATIONS, id, ana(), posted(CONTENT)));
    measure("posts, one replica", n, apply(&store, &posts)).await;
    measure("posts again", n, apply(&store, &posts)).await;

    let named = |id: u64| entry_in(1 + id % N_CONVERSATIONS, id, ana(), posted_as(&format!("client id {id}"), CONTENT));
    let named = batches(10 * n + 1, named);
    measure("posts with a client_id, one replica", n, apply(&store, &named)).await;

    let reads = batches(n + 1, |at| entry_in(1 + (at - n) % N_CONVERSATIONS, at, bob(), read(at - n)));
    measure("reads, one replica", n, apply(&store, &reads)).await;
    let edits =
        batches(2 * n + 1, |at| entry_in(1 + (at - 2 * n) % N_CONVERSATIONS, at, ana(), edited(at - 2 * n, "new")));
    measure("edits, one replica", n, apply(&store, &edits)).await;

    let more = batches(3 * n + 1, |id| entry_in(1 + id % N_CONVERSATIONS, id, ana(), posted(CONTENT)));
    let (even, odd): (Vec<_>, Vec<_>) = more.into_iter().enumerate().partition(|(number, _)| number % 2 == 0);
    let strip = |half: Vec<(usize, Vec<Entry>)>| half.into_iter().map(|(_, batch)| batch).collect::<Vec<_>>();
    let (even, odd) = (strip(even), strip(odd));
    let other = PgMessages::connect_lazy(&url).expect("a good URL");
    let (first, second) = (store.clone(), other.clone());
    let both = async {
        let one = tokio::spawn(async move { apply(&first, &even).await });
        let two = tokio::spawn(async move { apply(&second, &odd).await });
        one.await.expect("the first replica succeeds");
        two.await.expect("the second replica succeeds");
    };
    measure("posts, two replicas", n, both).await;

    let query = PageQuery {
        conversations: vec![conversation(7)],
        order: Order::OldestFirst,
        deleted: Deleted::LeftOut,
        page: PageNumber::Last,
        size: 50,
    };
    measure("last pages", 1000, async {
        for _ in 0..1000 {
            store.page(&query).await.expect("the store answers");
        }
    })
    .await;
    let all: Vec<_> = (1..=N_CONVERSATIONS).map(conversation).collect();
    measure("summaries of 200 conversations", 100, async {
        for _ in 0..100 {
            store.summaries(account(3), &all, 1).await.expect("the store answers");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn importing() {
    const N_MESSAGES: u64 = 1_000_000;
    let cluster = Cluster::shared();
    let url = cluster.database().await;
    PgMessages::migrate(&url).await.expect("the database can be migrated");
    let store = PgMessages::connect_lazy(&url).expect("a good URL");
    let old = |id| Message {
        id: message(id),
        conversation: conversation(1 + id % 2000),
        sender: account(2 + id % 500),
        sender_name: "somebody".to_owned(),
        content: Some(CONTENT.to_owned()),
        attachment: None,
        timestamp: at(id),
        is_read: id % 10 > 0,
        read_at: (id % 10 > 0).then(|| at(id + 1)),
        is_deleted: false,
        edited_at: None,
    };
    let messages: Vec<_> = (1..=N_MESSAGES).map(old).collect();
    for round in ["imports", "imports again"] {
        measure(round, N_MESSAGES, async {
            for messages in messages.chunks(50_000) {
                assert_eq!(store.import(messages).await.expect("the store takes the messages"), []);
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn catching_up() {
    const N_MESSAGES: u64 = 200_000;
    const PAGE: usize = 2000;
    let cluster = Cluster::shared();
    let url = cluster.database().await;
    PgMessages::migrate(&url).await.expect("the database can be migrated");
    let store = PgMessages::connect_lazy(&url).expect("a good URL");
    // Of twenty entries fourteen are posts; the others are about messages of long ago and of just now.
    let said = |at: u64| {
        let ago = |n: u64| (at - at % 20).saturating_sub(20 * n) + 1;
        let reader = Actor { id: account(100 + at % 1000), username: "a reader".to_owned() };
        entry(
            at,
            if at % 20 == 19 { reader } else { ana() },
            match at % 20 {
                14 | 15 => edited(ago(1), CONTENT),
                16 => edited(ago(2000), CONTENT),
                17 => deleted(ago(1) + 1),
                18 => deleted(ago(3000) + 2),
                19 => read(ago(0)),
                _ => posted(CONTENT),
            },
        )
    };
    let n_entries = N_MESSAGES * 20 / 14;
    let log: Vec<Entry> = (60_020..60_020 + n_entries).map(said).collect();
    for batch in log.chunks(1000) {
        store.apply(batch).await.expect("the store takes the batch");
    }
    let end = Position::new(u64::from(u32::MAX));
    for round in ["cold", "again"] {
        let (mut since, mut n_told, mut slowest) = (Position::START, 0, std::time::Duration::ZERO);
        let begun = Instant::now();
        loop {
            let asked = Instant::now();
            let page = store.changes(conversation(1), since, end, PAGE).await.expect("the store answers");
            slowest = slowest.max(asked.elapsed());
            n_told += page.len();
            let Some(last) = page.last() else { break };
            since = last.position;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let speed = n_told as f64 / seconds;
        println!(
            "catching up, {round}: {n_told} events of a log of {n_entries} in {seconds:.2} s, {speed:.0}/s, slowest page {slowest:.0?}"
        );
    }
}

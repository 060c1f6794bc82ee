//! How fast the store takes messages. Run with
//! `cargo test -p natter-store-pg --test throughput -- --ignored --nocapture`; it prints, and judges nothing.

mod cluster;

use std::time::Instant;

use natter_model::event::Entry;
use natter_store::contract::chatter::{account, ana, bob, conversation, edited, entry_in, posted, read};
use natter_store::messages::{Deleted, MessageStore as _, Order, PageNumber, PageQuery};
use natter_store_pg::PgMessages;

use crate::cluster::Cluster;

const N_BATCHES: u64 = 100;
const BATCH: u64 = 500;
const N_CONVERSATIONS: u64 = 200;

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
    let content = "A sentence of about the length that people type into a chat, give or take.";

    let posts = batches(1, |id| entry_in(1 + id % N_CONVERSATIONS, id, ana(), posted(content)));
    measure("posts, one replica", n, apply(&store, &posts)).await;
    measure("posts again", n, apply(&store, &posts)).await;

    let reads = batches(n + 1, |at| entry_in(1 + (at - n) % N_CONVERSATIONS, at, bob(), read(at - n)));
    measure("reads, one replica", n, apply(&store, &reads)).await;
    let edits =
        batches(2 * n + 1, |at| entry_in(1 + (at - 2 * n) % N_CONVERSATIONS, at, ana(), edited(at - 2 * n, "new")));
    measure("edits, one replica", n, apply(&store, &edits)).await;

    let more = batches(3 * n + 1, |id| entry_in(1 + id % N_CONVERSATIONS, id, ana(), posted(content)));
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

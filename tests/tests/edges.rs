//! Several edges and persistence processes side by side, over NATS and Postgres.

use natter_tests::stack::Stack;
use natter_tests::wait::until;

/// The way of one message: in at one edge, out at the other, into Postgres, and back over REST from both.
#[tokio::test]
async fn a_message_crosses_edges_and_lands_in_postgres() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    assert_ne!(stack.edge(0), stack.edge(1));

    let said = ana.says("from one edge to the other").await;
    bob.hears(said.clone()).await;

    let query = format!(
        "SELECT message_id, conversation_id, sender_id, content FROM persistence.messages WHERE message_id = {}",
        said.message_id()
    );
    let expected = format!("{}|{}|{}|from one edge to the other", said.message_id(), ana.conversation(), ana.id);
    let row = until("the row is in Postgres", async || stack.deployment().await.servers().postgres.query(&query).pop());
    assert_eq!(row.await, expected);
    assert_eq!(ana.history().await, ["from one edge to the other"]);
    assert_eq!(bob.history().await, ["from one edge to the other"]);
}

/// Every event reaches everybody once and in the log's order, whichever edge it came in by.
#[tokio::test]
async fn everybody_hears_the_same_in_the_same_order() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let mut others = [ana.elsewhere(), ana.elsewhere().on_edge(1), bob.elsewhere().on_edge(0)];
    for other in &mut others {
        other.joins(ana.conversation()).await;
    }

    let speak = async |client: &mut natter_tests::client::Client| {
        for number in 0..50 {
            client.says(&format!("{} {number}", client.username)).await;
        }
    };
    tokio::join!(speak(&mut ana), speak(&mut bob));

    let mut heard = Vec::new();
    for other in &mut others {
        let mut frames = Vec::new();
        for _ in 0..100 {
            frames.push(other.hears_next().await);
        }
        heard.push(frames);
    }
    assert!(heard[0].is_sorted_by(|one, next| one.seq() < next.seq()));
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0], heard[2]);
}

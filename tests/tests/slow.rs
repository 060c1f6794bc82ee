//! A client that does not read costs little, delays nobody, and gets everything once it reads.

use natter_tests::frame::Frame;
use natter_tests::stack::Stack;
use natter_tests::wait::until;
use serde_json::json;

const N_MESSAGES: usize = 4000;
/// Messages said before their echoes are heard.
const AT_ONCE: usize = 50;

#[tokio::test]
async fn who_does_not_read_for_a_while_misses_nothing() {
    let stack = Stack::real().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let mut sleeper = ana.elsewhere();
    sleeper.joins(ana.conversation()).await;

    // More than the kernels on both sides and the room's window take.
    let filler = "x".repeat(2000);
    let mut said: Vec<Frame> = Vec::new();
    for first in (0..N_MESSAGES).step_by(AT_ONCE) {
        for number in first..first + AT_ONCE {
            ana.sends(json!({"type": "message", "content": format!("{number} {filler}")})).await;
        }
        for _ in 0..AT_ONCE {
            let frame = ana.hears_next().await;
            bob.hears(frame.clone()).await;
            said.push(frame);
        }
    }

    let counted = until("the edge sees that somebody does not read", async || {
        let counted = stack.deployment().await.service("edge-1").metrics().await;
        (counted.value("natter_connections_blocked") == 1.0).then_some(counted)
    })
    .await;
    let (held, limit) = (counted.value("natter_batch_bytes"), counted.value("natter_connection_batch_bytes_limit"));
    // The last frame of a batch may go beyond.
    assert!(held > 0.0 && held <= limit + 4096.0, "{held} bytes are held, of {limit}");

    for frame in said {
        sleeper.hears(frame).await;
    }
    sleeper.hears(ana.says("awake").await).await;
}

//! What the programs count, as Prometheus reads it from their ops port.

use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use natter_tests::wait::until;
use serde_json::json;

/// The processes that do the work of the first edge, and of the fold.
fn names(stack: &Stack) -> (&'static str, &'static [&'static str]) {
    match stack.shape() {
        Shape::Local => ("natter", &["natter"]),
        Shape::Real => ("edge-1", &["persistence-1", "persistence-2"]),
    }
}

story! {
    async fn what_happens_is_counted(shape: Shape) {
        let stack = shape.start().await;
        let (edge, folds) = names(&stack);
        let before = stack.deployment().await.service(edge).metrics().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        bob.hears(ana.says("count me").await).await;
        ana.sends(json!({"type": "message", "content": ""})).await;
        ana.is_told().await;

        let after = stack.deployment().await.service(edge).metrics().await;
        let n_here = if shape == Shape::Local { 2.0 } else { 1.0 };
        assert_eq!(after.value("natter_connections"), n_here);
        assert_eq!(after.value("natter_rooms"), 1.0);
        assert_eq!(after.value("natter_refusals_total{reason=\"content_required\"}"), 1.0);
        for name in [
            "natter_frames_received_total{type=\"message\"}",
            "natter_frames_sent_total{type=\"chat_message\"}",
            "natter_frames_sent_total{type=\"error\"}",
            "natter_appends_total{outcome=\"taken\"}",
            "natter_append_seconds_count",
            "natter_connects_total{outcome=\"opened\"}",
            "natter_authz_seconds_count",
        ] {
            assert!(after.value(name) > before.value(name), "{name} does not move");
        }
        for name in [
            "natter_connections_limit",
            "natter_connection_batch_bytes_limit",
            "natter_batch_bytes_limit",
            "natter_connection_unsent_bytes_limit",
            "natter_window_frames_limit",
            "process_open_fds",
            "process_max_fds",
            "process_resident_memory_bytes",
        ] {
            assert!(after.value(name) > 0.0, "{name} is missing");
        }
        for kind in ["read_receipt", "edit", "delete", "typing", "ack", "caught_up", "pong", "authenticated"] {
            let name = format!("natter_frames_sent_total{{type=\"{kind}\"}}");
            assert!(after.has(&name), "{name} begins at nought");
        }
        for name in ["natter_gaps_found_total", "natter_gaps_filled_total", "natter_connections_behind"] {
            assert!(after.has(name), "{name} is missing");
        }

        let seen = ana.says("last word").await.seq();
        ana.sends_raw(tokio_tungstenite::tungstenite::Message::Close(None)).await;
        ana.is_gone().await;
        until("the connection is counted no more", async || {
            let now = stack.deployment().await.service(edge).metrics().await;
            (now.value("natter_connections") == n_here - 1.0 && now.sum("natter_closes_total") >= 1.0).then_some(())
        })
        .await;
        ana.reconnects_after(seen - 1).await;
        let now = stack.deployment().await.service(edge).metrics().await;
        assert!(now.sum("natter_catch_up_events_total") >= 1.0, "a client caught up on one event");

        until("the fold has counted both messages", async || {
            let mut deployment = stack.deployment().await;
            let mut n_records = 0.0;
            for name in folds {
                let counted = deployment.service(name).metrics().await;
                assert!(counted.has("natter_fold_lag_records") && counted.has("natter_fold_quarantined_total"));
                n_records += counted.value("natter_fold_records_total");
            }
            (n_records >= 2.0).then_some(())
        })
        .await;
    }
}

//! Why and how the server closes a connection.

use natter_tests::fixture::Person;
use natter_tests::stack::Shape;
use natter_tests::story;

story! {
    /// The handshake is accepted, and the close frame has the code and a reason that a person understands.
    async fn those_who_may_not_join_are_told_why(shape: Shape) {
        let stack = shape.start().await;
        let (ana, _bob) = stack.two_in_a_chat().await;
        let eve = stack.client("eve");
        let refresh = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.AAAA";
        let nobody = Person::new(77, "nobody").access_token();
        let here = ana.conversation();
        for slash in ["", "/"] {
            for (path, code, word) in [
                (format!("/ws/chat/{here}{slash}"), 4001, "token"),
                (format!("/ws/chat/{here}{slash}?token="), 4001, "token"),
                (format!("/ws/chat/{here}{slash}?token=nonsense"), 4001, "token"),
                (format!("/ws/chat/{here}{slash}?token={refresh}"), 4001, "token"),
                (format!("/ws/chat/{here}{slash}?token={nobody}"), 4001, ""),
                (format!("/ws/chat/{here}{slash}?token={}", eve.access), 4003, "participant"),
                (format!("/ws/chat/424242{slash}?token={}", ana.access), 4004, "conversation"),
                (format!("/ws/chat/0{slash}?token={}", ana.access), 4004, "conversation"),
                (format!("/ws/chat/99999999999999999999{slash}?token={}", ana.access), 4004, "conversation"),
            ] {
                let goodbye = ana.is_refused(&path).await;
                assert_eq!(goodbye.code, code, "{path}: {goodbye:?}");
                let reason = goodbye.reason.to_lowercase();
                assert!(reason.contains(word) && reason.contains(' '), "{path}: {goodbye:?}");
            }
        }
    }
}

story! {
    /// A path that is no conversation's is no WebSocket either.
    async fn a_path_that_is_no_conversation_is_not_found(shape: Shape) {
        let stack = shape.start().await;
        let ana = stack.client("ana");
        for path in ["/ws/chat/abc/", "/ws/chat/-1/", "/ws/chat/1.5/", "/ws/chat//", "/ws/chat/", "/ws/", "/ws/chat/1/more/"] {
            let status = ana.is_not_connected(&format!("{path}?token={}", ana.access)).await;
            assert_eq!(status, 404, "{path}");
        }
    }
}

story! {
    /// SIGTERM closes each socket with 1012, the program ends by itself and well, and nothing said is lost.
    async fn a_restart_is_announced(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        bob.hears(ana.says("before").await).await;

        let mut deployment = stack.deployment().await;
        let ended = async {
            let mut statuses = Vec::new();
            for service in &mut deployment.services {
                statuses.push((service.name(), service.terminate().await));
            }
            statuses
        };
        let (statuses, ana_told, bob_told) = tokio::join!(ended, ana.is_sent_away(), bob.is_sent_away());
        for (name, status) in statuses {
            assert_eq!(status.code(), Some(0), "{name}");
        }
        for goodbye in [ana_told, bob_told] {
            assert_eq!(goodbye.code, 1012, "{goodbye:?}");
            assert!(!goodbye.reason.is_empty());
        }
        drop(deployment);

        stack.comes_back().await;
        ana.reconnects().await;
        bob.reconnects().await;
        bob.hears(ana.says("after").await).await;
        assert_eq!(bob.history().await, ["before", "after"]);
    }
}

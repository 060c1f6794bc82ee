//! Lists, history and deeds over REST, and how the sockets hear of them.

use natter_tests::stack::Shape;
use natter_tests::story;
use serde_json::{Value, json};

story! {
    async fn what_is_done_over_rest_arrives_live(shape: Shape) {
        let stack = shape.start().await;
        let (ana, mut bob) = stack.two_in_a_chat().await;
        let path = format!("/api/chat/conversations/{}/send_message/", ana.conversation());

        let sent = ana.post(&path, &json!({"content": "  over REST  "})).await.expect_status(201);
        assert_eq!(sent["content"], "over REST");
        let heard = bob.hears_next().await;
        assert_eq!((heard.kind(), heard["message_id"].as_u64()), ("chat_message", sent["id"].as_u64()));
        assert_eq!(heard["sender_id"], ana.id);

        let id = heard.message_id();
        let edit = json!({"content": "changed"});
        ana.patch(&format!("/api/chat/messages/{id}/edit/"), &edit).await.expect_status(200);
        let heard = bob.hears_next().await;
        assert_eq!((heard.kind(), heard.text("content"), heard.message_id()), ("edit", "changed", id));

        bob.post(&format!("/api/chat/messages/{id}/mark_read/"), &json!({})).await.expect_status(200);
        let heard = bob.hears_next().await;
        assert_eq!((heard.kind(), heard.text("reader"), heard.message_id()), ("read_receipt", "bob", id));

        ana.delete(&format!("/api/chat/messages/{id}/soft_delete/")).await.expect_status(200);
        let heard = bob.hears_next().await;
        assert_eq!((heard.kind(), heard.text("deleter"), heard.message_id()), ("delete", "ana", id));
    }
}

story! {
    async fn the_list_shows_each_conversation_at_a_glance(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let eve = stack.client("eve");
        let with_eve = ana.starts_a_chat_with(&eve).await;
        for text in ["one", "two", "three"] {
            bob.hears(ana.says(text).await).await;
        }
        let answer = bob.says("four").await;
        ana.hears(answer.clone()).await;

        let list = bob.get("/api/chat/conversations/").await.expect_status(200);
        let conversation = &list.body[0];
        assert_eq!(list.body.as_array().map(Vec::len), Some(1));
        assert_eq!(conversation["id"], ana.conversation());
        assert_eq!(conversation["other_participant_id"], ana.id);
        assert_eq!(conversation["other_participant_name"], "ana");
        assert_eq!(conversation["unread_count"], 3);
        assert_eq!(conversation["last_message"]["id"], answer.message_id());
        assert_eq!(conversation["last_message_timestamp"], conversation["last_message"]["timestamp"]);
        assert_eq!(conversation["messages"].as_array().map(Vec::len), Some(4));

        let list = ana.get("/api/chat/conversations/").await.expect_status(200);
        let of = |id: u64| list.body.as_array().into_iter().flatten().find(|item| item["id"] == id).cloned();
        let empty = of(with_eve).expect("the conversation without messages");
        assert_eq!((&empty["last_message"], &empty["unread_count"]), (&Value::Null, &json!(0)));
        assert_eq!(of(ana.conversation()).expect("the one with bob")["unread_count"], 1);
    }
}

story! {
    /// Reading a message reads all before it; what one says oneself and what was deleted does not count.
    async fn the_unread_count_follows_the_read_mark(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let one = ana.says("one").await;
        let two = ana.says("two").await;
        let three = ana.says("three").await;
        for said in [&one, &two, &three] {
            bob.hears(said.clone()).await;
        }
        let path = format!("/api/chat/conversations/{}/", ana.conversation());
        let unread = async |client: &natter_tests::client::Client| {
            client.get(&path).await.expect_status(200)["unread_count"].as_u64()
        };
        assert_eq!((unread(&bob).await, unread(&ana).await), (Some(3), Some(0)));
        bob.reads(&two).await;
        assert_eq!(unread(&bob).await, Some(1));
        bob.reads(&one).await;
        assert_eq!(unread(&bob).await, Some(1), "a read mark only moves forward");
        ana.deletes(&three).await;
        assert_eq!(unread(&bob).await, Some(0));
    }
}

story! {
    async fn conversations_are_found_by_the_others_name(shape: Shape) {
        let stack = shape.start().await;
        let (ana, bob) = stack.two_in_a_chat().await;
        let eve = stack.client("eve");
        ana.starts_a_chat_with(&eve).await;
        for (search, found) in [("BO", vec!["bob"]), ("e", vec!["eve"]), ("ana", vec![]), ("%", vec![])] {
            let list = ana.get(&format!("/api/chat/conversations/?search={search}")).await.expect_status(200);
            let names: Vec<&str> = list.body.as_array().into_iter().flatten().filter_map(|conversation| {
                conversation["other_participant_name"].as_str()
            }).collect();
            assert_eq!(names, found, "{search}");
        }
        assert_eq!(bob.get("/api/chat/conversations/?search=ana").await.body.as_array().map(Vec::len), Some(1));
    }
}

story! {
    async fn history_comes_in_pages_oldest_first(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, bob) = stack.two_in_a_chat().await;
        for number in 1..=5 {
            ana.says(&number.to_string()).await;
        }
        let mut path = format!("/api/chat/conversations/{}/messages/?page_size=2", ana.conversation());
        let mut pages = Vec::new();
        loop {
            let page = bob.get(&path).await.expect_status(200);
            assert_eq!(page["count"], 5);
            let results = page["results"].as_array().expect("a page has results").clone();
            pages.push(results.iter().map(|message| message["content"].clone()).collect::<Vec<_>>());
            let Some(next) = page["next"].as_str() else { break };
            path = next.split_once("/api/").map(|(_, rest)| format!("/api/{rest}")).expect("an absolute link");
        }
        assert_eq!(json!(pages), json!([["1", "2"], ["3", "4"], ["5"]]));
    }
}

story! {
    /// The list's `messages` holds the latest 50 at most; the pages hold all.
    async fn a_long_conversation_is_listed_by_its_latest_messages(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, _bob) = stack.two_in_a_chat().await;
        for number in 1..=53 {
            ana.says(&number.to_string()).await;
        }
        let shown = ana.get(&format!("/api/chat/conversations/{}/", ana.conversation())).await.expect_status(200);
        let contents: Vec<&str> =
            shown["messages"].as_array().into_iter().flatten().filter_map(|message| message["content"].as_str()).collect();
        assert_eq!((contents.len(), contents.first(), contents.last()), (50, Some(&"4"), Some(&"53")));
        assert_eq!(ana.history().await.len(), 53);
    }
}

story! {
    /// A conversation that one of them deletes is gone for both, also for those who are in it.
    async fn a_deleted_conversation_is_gone_for_both(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let said = ana.says("last words").await;
        bob.hears(said.clone()).await;
        let path = format!("/api/chat/conversations/{}/", ana.conversation());

        ana.delete(&path).await.expect_status(204);

        assert_eq!(bob.is_sent_away().await.code, 4004);
        assert_eq!(ana.is_sent_away().await.code, 4004);
        for client in [&ana, &bob] {
            client.get(&path).await.expect_status(404);
            client.get(&format!("{path}messages/")).await.expect_status(404);
            client.get(&format!("/api/chat/messages/{}/", said.message_id())).await.expect_status(404);
            assert_eq!(client.get("/api/chat/conversations/").await.body, json!([]));
            assert_eq!(client.is_refused_here().await.code, 4004);
        }
        let again = bob.starts_a_chat_with(&ana).await;
        assert_ne!(again, ana.conversation(), "an id is never used again");
    }
}

story! {
    /// Somebody else's conversation looks like one that does not exist.
    async fn those_who_do_not_take_part_see_nothing(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        bob.hears(ana.says("between us").await).await;
        let eve = stack.client("eve");
        let path = format!("/api/chat/conversations/{}/", ana.conversation());
        for answer in [
            eve.get(&path).await,
            eve.get(&format!("{path}messages/")).await,
            eve.delete(&path).await,
            eve.post(&format!("{path}send_message/"), &json!({"content": "hi"})).await,
        ] {
            assert_eq!((answer.status, &answer["detail"]), (404, &json!("No Conversation matches the given query.")));
        }
        assert_eq!(eve.get("/api/chat/conversations/").await.body, json!([]));
        assert_eq!(eve.get("/api/chat/messages/").await["count"], 0);
        bob.hears(ana.says("still between us").await).await;
    }
}

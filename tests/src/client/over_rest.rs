//! What a client does over REST.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::rest::{Answer, Rest};

impl Client {
    /// Starts a conversation over REST; returns its id.
    pub async fn starts_a_chat_with(&self, other: &Self) -> u64 {
        let answer = self.post("/api/chat/conversations/start/", &json!({"user2": other.id})).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        answer["id"].as_u64().expect("a conversation has an id")
    }

    /// `GET`, with their token.
    pub async fn get(&self, path: &str) -> Answer {
        self.rest().request(Method::GET, path, None).await
    }

    /// `POST` of JSON, with their token.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.rest().request(Method::POST, path, Some(body)).await
    }

    /// `PATCH` of JSON, with their token.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.rest().request(Method::PATCH, path, Some(body)).await
    }

    /// `DELETE`, with their token.
    pub async fn delete(&self, path: &str) -> Answer {
        self.rest().request(Method::DELETE, path, None).await
    }

    /// The contents of their conversation over REST, oldest first.
    pub async fn history(&self) -> Vec<String> {
        let path = format!("/api/chat/conversations/{}/messages/?page_size=500", self.conversation);
        let answer = self.get(&path).await.expect_status(200);
        let results = answer["results"].as_array().expect("a page has results");
        results.iter().map(|message| message["content"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn rest(&self) -> Rest {
        Rest::new(self.address).with_token(&self.access)
    }
}

//! REST as a program calls it.

use std::net::SocketAddr;
use std::ops::Index;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::wait::within_patience;

/// Calls one server. Follows no redirects.
#[derive(Debug, Clone)]
pub struct Rest {
    http: Client,
    address: SocketAddr,
    token: Option<String>,
}

impl Rest {
    /// Calls the server at this address, without a token.
    pub fn new(address: SocketAddr) -> Self {
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        Self { http: http.expect("a client without settings of the system"), address, token: None }
    }

    /// The same with `Authorization: Bearer`.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path, Some(body)).await
    }

    /// Any method, with or without a JSON body.
    pub async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.build(method, path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        Answer::of(request).await
    }

    /// A request to be completed by the caller; send it with [`Answer::of`].
    pub fn build(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("http://{}{path}", self.address));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if it is JSON; else [`Value::Null`].
    pub body: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Sends the request and waits for the answer.
    pub async fn of(request: RequestBuilder) -> Self {
        let response = within_patience("an answer", request.send()).await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("the answer is complete");
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, body, text }
    }

    /// The same answer.
    ///
    /// # Panics
    /// If it has another status.
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "the server answered {}", self.text);
        self
    }

    /// A header as text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are ASCII"))
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        &self.body[key]
    }
}

//! Somebody who chats: logs in, joins a conversation, says things and hears them.

mod insisting;
mod over_rest;

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::frame::{Frame, Goodbye};
use crate::rest::Rest;
use crate::socket::{Heard, Socket};
use crate::stack::Stack;

/// Somebody with an account, at most one socket, and REST. Verbs panic when the server does not do its part in time.
#[derive(Debug)]
pub struct Client {
    /// Runs as long as they do, if they are there.
    stack: Option<Stack>,
    address: SocketAddr,
    /// Their account.
    pub id: u64,
    /// Their username.
    pub username: String,
    /// Their access token.
    pub access: String,
    conversation: u64,
    socket: Option<Socket>,
    unheard: VecDeque<Frame>,
}

impl Client {
    /// Logs in over REST.
    pub async fn log_in(stack: Stack, username: &str, password: &str) -> Self {
        let credentials = json!({"username": username, "password": password});
        let answer = Rest::new(stack.edge(0)).post("/api/auth/login/", &credentials).await.expect_status(200);
        let id = answer["account"]["id"].as_u64().expect("an id in the account");
        Self::with_token(stack, id, username, answer["access"].as_str().expect("an access token"))
    }

    /// Somebody who has an access token already.
    pub fn with_token(stack: Stack, id: u64, username: &str, access: &str) -> Self {
        let address = stack.edge(0);
        Self { stack: Some(stack), ..Self::at(address, id, username, access) }
    }

    /// The same at whatever server listens there.
    pub fn at(address: SocketAddr, id: u64, username: &str, access: &str) -> Self {
        Self {
            id,
            username: username.to_owned(),
            access: access.to_owned(),
            stack: None,
            address,
            conversation: 0,
            socket: None,
            unheard: VecDeque::new(),
        }
    }

    /// From now on they connect to this Natter. A socket that is open stays where it is.
    pub fn moves_to(&mut self, stack: &Stack) {
        self.address = stack.edge(0);
        self.stack = Some(stack.clone());
    }

    /// Somebody who uses another edge.
    pub fn on_edge(mut self, number: usize) -> Self {
        self.address = self.stack.as_ref().expect("only Natter has edges").edge(number);
        self
    }

    /// The same person at another device, not connected.
    pub fn elsewhere(&self) -> Self {
        Self {
            stack: self.stack.clone(),
            username: self.username.clone(),
            access: self.access.clone(),
            socket: None,
            unheard: VecDeque::new(),
            ..*self
        }
    }

    /// Opens a socket in the conversation; returns once the server hears it.
    pub async fn joins(&mut self, conversation: u64) {
        self.conversation = conversation;
        self.connects(&self.path("")).await;
    }

    /// Opens a socket by this path and query, expected to be let in.
    pub async fn joins_by(&mut self, path: &str) {
        self.connects(path).await;
    }

    /// Opens a socket again, in the same conversation, without asking for what was missed.
    pub async fn reconnects(&mut self) {
        self.connects(&self.path("")).await;
    }

    /// Opens a socket again and asks for everything after `seq`.
    pub async fn reconnects_after(&mut self, seq: u64) {
        self.connects(&self.path(&format!("&since={seq}"))).await;
    }

    /// Opens a socket and waits until it is being listened to.
    async fn connects(&mut self, path: &str) {
        self.unheard.clear();
        self.socket = Some(Socket::open(&self.url(path)).await);
        self.is_listened_to().await;
    }

    async fn is_listened_to(&mut self) {
        self.sends(json!({"type": "ping"})).await;
        loop {
            let frame = self.takes_a_frame().await;
            // Django takes a ping for a message, and answers what it is without.
            if frame.kind() == "pong" || frame.text("message") == "Message content is required" {
                return;
            }
            self.unheard.push_back(frame);
        }
    }

    /// Opens a socket that the server is expected to close at once; returns how.
    pub async fn is_refused(&self, path: &str) -> Goodbye {
        let mut socket = Socket::open(&self.url(path)).await;
        match socket.hear().await {
            Heard::Goodbye(goodbye) => goodbye,
            unexpected => panic!("expected a close frame, not {unexpected:?}"),
        }
    }

    /// The same in the conversation they had joined.
    pub async fn is_refused_here(&self) -> Goodbye {
        self.is_refused(&self.path("")).await
    }

    /// The same with more in the query, such as `&since=7`.
    pub async fn is_refused_here_with(&self, more: &str) -> Goodbye {
        self.is_refused(&self.path(more)).await
    }

    /// Opens a socket in their conversation that offers these subprotocols, and no token in its URL; returns the one
    /// that the server has selected.
    pub async fn joins_with_subprotocols(&mut self, offered: &[&str]) -> Option<String> {
        self.unheard.clear();
        let url = self.url(&format!("/ws/chat/{}/", self.conversation));
        let (socket, selected) = Socket::open_offering(&url, offered).await;
        self.socket = Some(socket);
        self.is_listened_to().await;
        selected
    }

    /// Asks for a socket where there is none; returns the HTTP status of the answer.
    pub async fn is_not_connected(&self, path: &str) -> u16 {
        match Socket::try_open(&self.url(path)).await {
            Err(Error::Http(answer)) => answer.status().as_u16(),
            unexpected => panic!("expected an HTTP error, not {unexpected:?}"),
        }
    }

    /// The connection is gone without a word.
    pub fn drops_the_line(&mut self) {
        self.socket = None;
        self.unheard.clear();
    }

    /// Says something; returns the frame in which everybody hears it.
    pub async fn says(&mut self, content: &str) -> Frame {
        self.sends(json!({"type": "message", "content": content})).await;
        let username = self.username.clone();
        self.hears_of("chat_message", |frame| frame["content"] == *content && frame["sender"] == *username).await
    }

    /// Changes what they said; returns the frame in which everybody hears it.
    pub async fn edits(&mut self, message: &Frame, content: &str) -> Frame {
        let id = message.message_id();
        self.sends(json!({"type": "edit", "message_id": id, "content": content})).await;
        self.hears_of("edit", |frame| frame["message_id"] == id).await
    }

    /// Takes back what they said; returns the frame in which everybody hears it.
    pub async fn deletes(&mut self, message: &Frame) -> Frame {
        let id = message.message_id();
        self.sends(json!({"type": "delete", "message_id": id})).await;
        self.hears_of("delete", |frame| frame["message_id"] == id).await
    }

    /// Marks a message as read; returns the frame in which everybody hears it.
    pub async fn reads(&mut self, message: &Frame) -> Frame {
        let id = message.message_id();
        self.sends(json!({"type": "read", "message_id": id})).await;
        let username = self.username.clone();
        self.hears_of("read_receipt", |frame| frame["message_id"] == id && frame["reader"] == *username).await
    }

    /// Begins or ceases to type.
    pub async fn types(&mut self, is_typing: bool) {
        self.sends(json!({"type": "typing", "is_typing": is_typing})).await;
    }

    /// The next frame is exactly this one; returns where it stands, to resume after.
    pub async fn hears(&mut self, expected: Frame) -> u64 {
        let heard = self.hears_next().await;
        assert_eq!(heard, expected, "{} heard something else", self.username);
        expected.seq()
    }

    /// The next frame tells what another server has told of the same event.
    pub async fn hears_the_same_as(&mut self, told: &Frame) {
        let heard = self.hears_next().await;
        assert_eq!(heard.essence(), told.essence(), "{} heard something else", self.username);
    }

    /// The next frame tells that somebody types, or ceased to.
    pub async fn hears_typing(&mut self, who: &Self, is_typing: bool) {
        let heard = self.hears_next().await;
        let expected = json!({
            "type": "typing", "username": who.username, "profile_id": who.id, "is_typing": is_typing
        });
        assert_eq!(heard.0, expected, "{} heard something else", self.username);
    }

    /// Hears exactly these frames, and among or right behind them the word that it has caught up. Where that stands
    /// depends on how far the edge itself was when asked. Returns where the last of it stands.
    pub async fn catches_up_on(&mut self, missed: impl IntoIterator<Item = Frame>, seen: u64) -> u64 {
        let mut missed = missed.into_iter().peekable();
        let (mut last, mut has_caught_up) = (seen, false);
        while missed.peek().is_some() || !has_caught_up {
            let heard = self.hears_next().await;
            if !has_caught_up && heard.kind() == "caught_up" {
                assert_eq!(heard.seq(), last, "{} has caught up elsewhere", self.username);
                has_caught_up = true;
            } else {
                last = heard["seq"].as_u64().unwrap_or(last);
                assert_eq!(Some(heard), missed.next(), "{} heard something else", self.username);
            }
        }
        last
    }

    /// The next frame is an error; returns it.
    pub async fn is_told(&mut self) -> Frame {
        let heard = self.hears_next().await;
        assert_eq!(heard.kind(), "error", "{} heard something else: {heard}", self.username);
        heard
    }

    /// The next frame, whichever it is.
    pub async fn hears_next(&mut self) -> Frame {
        match self.unheard.pop_front() {
            Some(frame) => frame,
            None => self.takes_a_frame().await,
        }
    }

    /// The next frame of this type that fits. Those before it stay to be heard.
    pub async fn hears_of(&mut self, kind: &str, fits: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.takes_a_frame().await;
            if frame.kind() == kind && fits(&frame) {
                return frame;
            }
            assert_ne!(frame.kind(), "error", "{} was told: {frame}", self.username);
            self.unheard.push_back(frame);
        }
    }

    /// The server closes the connection; returns how. Frames before that are passed over.
    pub async fn is_sent_away(&mut self) -> Goodbye {
        loop {
            match self.socket().hear().await {
                Heard::Frame(_) => {}
                Heard::Goodbye(goodbye) => {
                    self.drops_the_line();
                    return goodbye;
                }
                Heard::Silence => panic!("{}'s line went dead without a close frame", self.username),
            }
        }
    }

    /// The server closes the connection without sending any frame before; returns how.
    pub async fn hears_only_goodbye(&mut self) -> Goodbye {
        assert!(self.unheard.is_empty(), "{} heard {:?}", self.username, self.unheard);
        match self.socket().hear().await {
            Heard::Goodbye(goodbye) => {
                self.drops_the_line();
                goodbye
            }
            heard => panic!("{} heard something: {heard:?}", self.username),
        }
    }

    /// The connection ends, with or without a close frame. Frames before that are passed over.
    pub async fn is_gone(&mut self) {
        while let Heard::Frame(_) = self.socket().hear().await {}
        self.drops_the_line();
    }

    /// The connection breaks off without a close frame. Frames before that are passed over.
    pub async fn loses_the_line(&mut self) {
        while self.socket().hear().await != Heard::Silence {}
        self.drops_the_line();
    }

    /// Sends a JSON frame.
    pub async fn sends(&mut self, frame: Value) {
        self.sends_text(&frame.to_string()).await;
    }

    /// Sends a text frame, JSON or not.
    pub async fn sends_text(&mut self, text: &str) {
        self.sends_raw(Message::text(text)).await;
    }

    /// Sends a frame of any kind.
    pub async fn sends_raw(&mut self, message: Message) {
        self.socket().send(message).await.expect("the connection is open");
    }

    /// Sends a frame that the server may refuse to read to its end.
    pub async fn sends_if_it_can(&mut self, message: Message) {
        self.socket().send(message).await.ok();
    }

    async fn takes_a_frame(&mut self) -> Frame {
        match self.socket().hear().await {
            Heard::Frame(frame) => frame,
            ended => panic!("{}'s connection ended: {ended:?}", self.username),
        }
    }

    fn socket(&mut self) -> &mut Socket {
        self.socket.as_mut().unwrap_or_else(|| panic!("{} is not connected", self.username))
    }

    /// The conversation they joined.
    pub fn conversation(&self) -> u64 {
        self.conversation
    }

    /// The path and query of the socket of their conversation.
    fn path(&self, more: &str) -> String {
        format!("/ws/chat/{}/?token={}{more}", self.conversation, self.access)
    }

    fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }
}

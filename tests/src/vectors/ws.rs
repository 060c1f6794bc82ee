//! `ws.json`: handshakes, frames and group events, as the Django chat was recorded to answer them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Client;
use crate::fixture::World;
use crate::frame::Frame;
use crate::vectors::Comparison;

/// The whole recording.
#[derive(Deserialize)]
pub struct Vectors {
    /// By the names that URLs have for them in braces.
    pub tokens: BTreeMap<String, String>,
    /// What there was before.
    #[serde(flatten)]
    pub world: World,
    /// Handshakes.
    pub connects: Vec<Connect>,
    /// Frames, in order.
    pub frames: Vec<Case>,
    /// Events that another process puts into the group of conversation 1, in order.
    pub events: Vec<GroupEvent>,
    /// The messages behind [`frames`](Self::frames).
    pub stored: Vec<Row>,
}

/// A handshake.
#[derive(Deserialize)]
pub struct Connect {
    /// With names of tokens in braces.
    pub url: String,
    /// `None`: let in.
    pub close_code: Option<u16>,
    /// What is remarkable.
    pub note: Option<String>,
}

/// A frame, and what each of three sockets heard then.
#[derive(Deserialize)]
pub struct Case {
    /// Whose socket sends it: `me`, `me2` (the same account's) or `other`.
    pub by: String,
    frame: Sent,
    /// What `me` heard.
    pub me: Vec<Value>,
    /// What `me2` heard.
    pub me2: Vec<Value>,
    /// What `other` heard.
    pub other: Vec<Value>,
    /// An error that the sender may get instead.
    pub may_error: Option<String>,
    /// What is remarkable.
    pub note: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Sent {
    Text(String),
    Unit { unit: String, count: usize },
    Literal { literal: String },
}

/// An event of another process, and what became of it.
#[derive(Deserialize)]
pub struct GroupEvent {
    /// The event.
    pub event: Value,
    /// What the socket of `me` heard.
    pub me: Outcome,
    /// What the socket of `other` heard.
    pub other: Outcome,
}

/// What an event does to a socket.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// It shows these frames.
    Frames(Vec<Value>),
    /// It is closed with 1011.
    Dies {
        /// The error in the server.
        dies: String,
    },
}

/// A message in the end.
#[derive(Debug, Deserialize)]
#[allow(missing_docs)]
pub struct Row {
    pub id: u64,
    pub conversation: u64,
    pub sender: u64,
    content: String,
    pub is_read: bool,
    pub is_deleted: bool,
    pub edited: bool,
}

impl Vectors {
    /// The recording in `tests/vectors`.
    pub fn load() -> Self {
        let text = include_str!("../../vectors/ws.json");
        let mut vectors: Self = serde_json::from_str(text).expect("ws.json as described");
        // The recording tells what imported messages say only by what they say in the end.
        for row in vectors.stored.iter().filter(|row| !row.edited && !row.is_deleted) {
            if let Some(line) = vectors.world.messages.iter_mut().find(|line| line.id == row.id) {
                line.content = Some(row.content.clone());
            }
        }
        vectors
    }

    /// The URL with its tokens.
    pub fn fill_in(&self, url: &str) -> String {
        self.tokens.iter().fold(url.to_owned(), |url, (name, token)| url.replace(&format!("{{{name}}}"), token))
    }

    /// The username of an account.
    pub fn username(&self, id: u64) -> &str {
        let person = self.world.accounts.iter().find(|person| person.id == id);
        &person.expect("somebody of this world").username
    }
}

impl Case {
    /// What is sent.
    pub fn text(&self) -> String {
        match &self.frame {
            Sent::Text(text) => text.clone(),
            Sent::Unit { .. } | Sent::Literal { .. } => {
                json!({"type": "message", "content": self.content()}).to_string()
            }
        }
    }

    fn content(&self) -> String {
        match &self.frame {
            Sent::Text(_) => String::new(),
            Sent::Unit { unit, count } => unit.repeat(*count),
            Sent::Literal { literal } => literal.clone(),
        }
    }

    /// What this socket heard.
    pub fn recorded(&self, who: &str) -> Vec<Value> {
        let recorded = match who {
            "me" => &self.me,
            "me2" => &self.me2,
            _ => &self.other,
        };
        let mut frames = recorded.clone();
        for frame in &mut frames {
            if frame["content"] == "<as sent>" {
                frame["content"] = self.content().into();
            }
        }
        frames
    }

    /// Sends it, then something everybody hears, and returns what each heard in between.
    pub async fn exchange(&self, clients: &mut BTreeMap<&str, Client>, number: usize) -> BTreeMap<String, Vec<Frame>> {
        let sender = clients.get_mut(self.by.as_str()).expect("me, me2 or other");
        let fence = json!({"type": "message", "content": format!("fence {number}")});
        sender.sends_text(&self.text()).await;
        sender.sends(fence.clone()).await;
        let mut heard = BTreeMap::new();
        for (who, client) in clients {
            let mut frames = Vec::new();
            loop {
                let frame = client.hears_next().await;
                if frame["content"] == fence["content"] {
                    break;
                }
                frames.push(frame);
            }
            heard.insert((*who).to_owned(), frames);
        }
        heard
    }

    /// Where what they heard is not what was recorded, one line each.
    pub fn differences(&self, heard: &BTreeMap<String, Vec<Frame>>, comparison: &mut Comparison<'_>) -> Vec<String> {
        let mut all = Vec::new();
        for (who, frames) in heard {
            let frames = Value::Array(frames.iter().map(|frame| frame.0.clone()).collect());
            let differences = comparison.differences(&Value::Array(self.recorded(who)), &frames);
            all.extend(differences.into_iter().map(|difference| format!("{who}{difference}")));
        }
        all
    }

    /// Did the sender get this answer (and perhaps more keys in it), and nobody anything else?
    pub fn is_only_answer(&self, heard: &BTreeMap<String, Vec<Frame>>, answer: &Value) -> bool {
        let answer = answer.as_object().expect("a frame is an object");
        heard.iter().all(|(who, frames)| match frames.as_slice() {
            [frame] if *who == self.by => answer.iter().all(|(key, value)| frame[key] == *value),
            [] => *who != self.by,
            _ => false,
        })
    }
}

impl Row {
    /// Is this its content? Of long ones only the length was recorded.
    pub fn says(&self, content: &str) -> bool {
        match self.content.strip_prefix('<').and_then(|rest| rest.strip_suffix(" code points>")) {
            Some(length) => content.chars().count().to_string() == length,
            None => content == self.content,
        }
    }
}

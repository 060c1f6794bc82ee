//! What has been said in a conversation and still stands, kept by a story to compare a server's history with.

use serde_json::Value;

use crate::client::Client;
use crate::fixture::World;
use crate::frame::Frame;

/// The ids and contents of a conversation, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record(Vec<(u64, String)>);

impl Record {
    /// What stands in a conversation of this world.
    pub fn of(world: &World, conversation: u64) -> Self {
        let lines = world.messages.iter().filter(|line| line.conversation == conversation && !line.is_deleted);
        Self(lines.map(|line| (line.id, line.content.clone().unwrap_or_default())).collect())
    }

    /// What the server that they are at shows of their conversation over REST.
    pub async fn seen_by(client: &Client) -> Self {
        let path = format!("/api/chat/conversations/{}/messages/?page_size=500", client.conversation());
        let page = client.get(&path).await.expect_status(200);
        let lines = page["results"].as_array().expect("a page has results");
        let text = |line: &Value| line["content"].as_str().unwrap_or_default().to_owned();
        Self(lines.iter().map(|line| (line["id"].as_u64().expect("a message has an id"), text(line))).collect())
    }

    /// With this message.
    pub fn has(&mut self, id: u64, content: &str) {
        self.0.push((id, content.to_owned()));
    }

    /// With what this frame says; returns the frame.
    pub fn said(&mut self, frame: Frame) -> Frame {
        self.has(frame.message_id(), frame.text("content"));
        frame
    }

    /// With the text that this frame tells of; returns the frame.
    ///
    /// # Panics
    /// If nobody has said what is edited.
    pub fn edited(&mut self, frame: Frame) -> Frame {
        let line = self.0.iter_mut().find(|(id, _)| *id == frame.message_id());
        line.expect("only what was said can be edited").1 = frame.text("content").to_owned();
        frame
    }
}

//! What a client does that wants to be sure.

use serde_json::json;

use crate::client::Client;
use crate::frame::Frame;

impl Client {
    /// Sends it under the same name until it is acknowledged: whoever was told that it failed cannot know whether it did.
    /// Returns the frame that everybody hears.
    pub async fn insists(&mut self, content: &str, client_id: &str) -> Frame {
        let said = json!({"type": "message", "content": content, "client_id": client_id});
        let (mut heard, mut acknowledged) = (None, false);
        self.sends(said.clone()).await;
        loop {
            let frame = self.hears_next().await;
            match frame.kind() {
                "chat_message" => heard = Some(frame),
                "ack" => acknowledged = true,
                _ => self.sends(said.clone()).await,
            }
            // In either order.
            match heard {
                Some(frame) if acknowledged => return frame,
                other => heard = other,
            }
        }
    }
}

//! Messages page by page.

use axum::http::Uri;
use natter_proto::v1;
use natter_proto::v1::list_messages_request::Order;

use super::answer::Refusal;
use super::objects::{Links, Message};
use super::origin::Origin;
use super::pagination::{Page, PageRequest};
use super::services::{ask, messages_client};
use crate::app::App;

/// The messages of some conversations, to be read page by page.
pub(crate) struct MessagePages<'a> {
    /// Those whose messages they are; the caller takes part in each.
    pub conversation_ids: Vec<u64>,
    /// By time, forwards or backwards.
    pub order: Order,
    /// Deleted messages are among them, without content.
    pub include_deleted: bool,
    /// How attachments are linked.
    pub links: Links<'a>,
}

impl MessagePages<'_> {
    /// The page that `uri` asks for.
    pub(crate) async fn get(self, app: &App, origin: &Origin, uri: &Uri) -> Result<Page<Vec<Message>>, Refusal> {
        let page = PageRequest::parse(uri)?;
        let reply = ask(messages_client(app).list_messages(v1::ListMessagesRequest {
            conversation_ids: self.conversation_ids,
            order: self.order.into(),
            include_deleted: self.include_deleted,
            page: page.number,
            page_size: page.size,
        }))
        .await?;
        let messages = reply.messages.into_iter().map(|message| Message::new(message, self.links)).collect();
        Page::new(messages, reply.count, reply.page, reply.pages, origin, uri)
    }
}

//! What things are called in NATS.

use natter_model::id::ConversationId;

/// The stream that holds every event.
pub(crate) const STREAM: &str = "CHAT";
/// The durable consumer that all persistence processes share.
pub(crate) const CONSUMER: &str = "persistence";
/// The subjects of the stream: one per conversation.
pub(crate) const EVENTS: &str = "chat.*";
/// Where fillers go: 0 is no conversation.
pub(crate) const FILLERS: &str = "chat.0";
/// Where the stream repeats what it has taken.
pub(crate) const REPUBLISHED: &str = "live.{{wildcard(1)}}.event";

/// Where the conversation's events go.
pub(crate) fn events_of(conversation: ConversationId) -> String {
    format!("chat.{conversation}")
}

/// Where all that happens in the conversation is heard.
pub(crate) fn live_of(conversation: ConversationId) -> String {
    format!("live.{conversation}.*")
}

/// Where the events of all conversations are heard; fillers too.
pub(crate) const ALL_EVENTS: &str = "live.*.event";
/// Where the signals of all conversations are heard.
pub(crate) const ALL_SIGNALS: &str = "live.*.signal";

/// Where the conversation's signals go.
pub(crate) fn signals_of(conversation: ConversationId) -> String {
    format!("live.{conversation}.signal")
}

/// Whether something heard on [`live_of`] is a signal; otherwise it is an event.
pub(crate) fn is_signal(subject: &str) -> bool {
    subject.ends_with(".signal")
}

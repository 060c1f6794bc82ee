//! What one client's frames do.

use std::sync::Arc;

use natter_model::event::Actor;
use natter_model::id::{AccountId, ConversationId, MessageId, Position};
use natter_trace::spans;
use natter_wire::client::{self, Echo, Request};
use natter_wire::problem::{Deed, Problem};
use natter_wire::server::{self, Encoded};
use tokio::sync::watch;
use tracing::{Instrument as _, Span, warn};

use crate::actions::{ActionError, Actions, Target};
use crate::limits::Allowance;
use crate::metrics::{self, frames};
use crate::pass::Pass;
use crate::retry;
use crate::window::{Lookup, State, Window};

/// A participant in a conversation. Knows nothing of sockets.
pub(crate) struct Session {
    actor: Arc<Actor>,
    conversation: ConversationId,
    actions: Actions,
    window: watch::Receiver<Window>,
    /// Where the head was when it began. A removal before that was followed by being let in again.
    since: Position,
    /// Where the last event of this session stands. Until the window has it, the window does not know all that this
    /// client knows.
    appended: Position,
    allowance: Allowance,
    pass: Arc<Pass>,
}

impl Session {
    /// The actor takes part in the conversation that the window shows.
    pub(crate) fn new(
        actor: Arc<Actor>,
        conversation: ConversationId,
        actions: Actions,
        window: watch::Receiver<Window>,
        allowance: Allowance,
        pass: Arc<Pass>,
    ) -> Self {
        let since = window.borrow().head();
        Self { actor, conversation, actions, window, since, appended: Position::START, allowance, pass }
    }

    /// What lets it be here.
    pub(crate) fn pass(&self) -> Arc<Pass> {
        Arc::clone(&self.pass)
    }

    /// Whose session it is.
    pub(crate) fn account(&self) -> AccountId {
        self.actor.id
    }

    /// Where it takes place.
    pub(crate) fn conversation(&self) -> ConversationId {
        self.conversation
    }

    /// Does what a text frame asks for. What its sender alone is told about it, if anything.
    pub(crate) async fn handle(&mut self, text: &str) -> Option<Encoded> {
        let frame = client::read(text);
        frames::received(frame.request.as_ref().map_or(frames::OTHER, Request::name));
        let span = self.span(&frame.request);
        let outcome = async {
            match (self.allowance.frame().await, frame.request) {
                (Ok(()), Ok(request)) => self.fulfil(request).await,
                (Ok(()), Err(problem)) => Err(problem),
                (Err(wait), _) => Err(Problem::RateLimited(wait)),
            }
        };
        let outcome = outcome.instrument(span.clone()).await;
        if let Err(problem) = &outcome {
            spans::failed(&span, problem.code());
        }
        outcome.unwrap_or_else(|problem| Some(refusal(frame.deed, &problem, &frame.echo)))
    }

    /// What the sender is told of a frame that nobody even looked into, because of `problem`.
    pub(crate) async fn refuse(&mut self, problem: Problem) -> Encoded {
        let problem = self.allowance.frame().await.err().map_or(problem, Problem::RateLimited);
        refusal(Deed::Message, &problem, &Echo::default())
    }

    /// A trace of what goes into the log. The rest is too often and too little to be looked at.
    fn span(&self, request: &Result<Request, Problem>) -> Span {
        match request {
            Ok(Request::Typing { .. } | Request::Ping | Request::Auth { .. }) | Err(_) => Span::none(),
            Ok(request) => spans::frame(request.name(), self.conversation),
        }
    }

    async fn fulfil(&mut self, request: Request) -> Result<Option<Encoded>, Problem> {
        {
            let window = self.window.borrow();
            if window.state() == State::Deleted {
                return Err(Problem::ConversationNotFound);
            }
            if window.has_removed(self.actor.id, self.since) {
                return Err(Problem::NotAParticipant);
            }
        }
        let (actor, conversation) = (Arc::clone(&self.actor), self.conversation);
        let done = match request {
            Request::Message { content, client_id } => {
                #[cfg(feature = "failpoints")]
                fail::fail_point!("edge::acknowledge_early", |_| Ok(self.acknowledge_early(&content, &client_id)));
                let name = client_id.clone();
                let done = self.actions.post(&actor, conversation, content, None, client_id).await;
                let done = done.map_err(|error| self.problem(&error))?;
                self.appended = self.appended.max(done.position);
                return Ok(name.map(|name| server::ack(&name, done.position, done.at)));
            }
            Request::Typing { is_typing } => {
                // Nobody misses a signal that got lost.
                let _ = self.actions.typing(&actor, conversation, is_typing).await;
                return Ok(None);
            }
            Request::Ping => return Ok(Some(server::pong())),
            Request::Auth { token } => {
                let expires_at = self.pass.renew(token.expose()).await?;
                return Ok(Some(server::authenticated(expires_at)));
            }
            Request::Read { message } => {
                let target = self.find(message).await?;
                self.actions.mark_read(&actor, target).await
            }
            Request::Edit { message, content } => {
                let target = self.find(message).await?;
                self.actions.edit(&actor, target, &content).await
            }
            Request::Delete { message } => {
                let target = self.find(message).await?;
                self.actions.delete(&actor, target).await
            }
        };
        self.appended = done.map_err(|error| self.problem(&error))?.position;
        Ok(None)
    }

    /// What tests of the checker do: a place in the log is promised before the log has given it.
    #[cfg(feature = "failpoints")]
    fn acknowledge_early(&self, content: &str, client_id: &Option<String>) -> Option<Encoded> {
        let guess = Position::new(self.window.borrow().head().get() + 1);
        let (actor, actions, conversation) = (Arc::clone(&self.actor), self.actions.clone(), self.conversation);
        let (content, name) = (content.to_owned(), client_id.clone());
        drop(tokio::spawn(async move { actions.post(&actor, conversation, content, None, name).await }));
        let now = natter_model::timestamp::Timestamp::now();
        client_id.as_ref().map(|name| server::ack(name, guess, now))
    }

    /// The message, as it stands after all that this client has done: from the window if that goes far enough, else
    /// from persistence.
    async fn find(&self, message: MessageId) -> Result<Target, Problem> {
        let absent = || Problem::MessageNotFound(message.to_string());
        match self.look_up(message) {
            Lookup::Found(target) => return Ok(target),
            Lookup::Absent => return Err(absent()),
            Lookup::Unknown => {}
        }
        let found = self.actions.find(Some(self.conversation), message).await;
        let found = found.map_err(|error| self.problem(&error))?.ok_or_else(absent)?;
        let target = Target::of(&found).map_err(|error| self.problem(&error))?;
        if target.conversation == self.conversation { Ok(target) } else { Err(absent()) }
    }

    fn look_up(&self, message: MessageId) -> Lookup {
        let window = self.window.borrow();
        if window.head() < self.appended { Lookup::Unknown } else { window.look_up(message) }
    }

    fn problem(&self, error: &ActionError) -> Problem {
        match error {
            ActionError::NotYours => Problem::NotYourMessage,
            ActionError::Deleted => Problem::MessageDeleted,
            ActionError::AlreadyDeleted => Problem::AlreadyDeleted,
            ActionError::NullCharacter => Problem::NullCharacter,
            ActionError::TooLarge | ActionError::Unavailable(_) => {
                warn!(conversation = %self.conversation, account = %self.actor.id, %error, "a frame failed");
                Problem::Unavailable(retry::when_unavailable())
            }
        }
    }
}

fn refusal(deed: Deed, problem: &Problem, echo: &Echo) -> Encoded {
    metrics::refused(problem.code());
    server::error(deed, problem, echo)
}

#[cfg(test)]
mod tests;

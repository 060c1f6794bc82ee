//! A client as real ones are: reconnects anywhere, resumes after what it has, sends again what is in doubt.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::faults::board::{Board, Phase};
use crate::faults::history::{Content, Moment, Sender, Stream, Tale, Told};
use crate::faults::line::{Heard, Incoming, Line};
use crate::faults::outbox::Outbox;
use crate::fixture::Person;

/// A client that has heard nothing for so long asks whether the server is still there.
const SILENCE: Moment = 5_000;
/// One that gets no answer to that either looks for another edge.
const DEAD_SILENCE: Moment = 9_000;
/// Posts between two marks of a reader.
const POSTS_PER_MARK: u64 = 25;
/// How long a mark may take to be heard of.
const MARK_PATIENCE: Moment = 4_000;
/// How long an access token is good for, less some.
const TOKEN_LIFE: Moment = 55 * 60 * 1000;

/// Who takes part, and how.
#[derive(Debug)]
pub struct Part {
    /// Its number among the clients.
    pub client: usize,
    /// Its account.
    pub person: Person,
    /// Where.
    pub conversation: u64,
    /// What it writes, if it writes.
    pub outbox: Option<Outbox>,
    /// It marks what it reads as read.
    pub marks: bool,
    /// It stops reading when sleepers are to sleep.
    pub sleeps: bool,
    /// What its accidents are drawn from.
    pub seed: u64,
}

/// A running client.
#[derive(Debug)]
pub struct Participant {
    part: Part,
    board: Arc<Board>,
    edges: Arc<[SocketAddr]>,
    accidents: StdRng,
    stream: Stream,
    since: u64,
    n_posts: u64,
    mark: Option<ToMark>,
    asleep: watch::Receiver<bool>,
    heard_at: Moment,
    connected_at: Moment,
}

/// A message that is to be marked as read, until that is heard of.
#[derive(Debug, Clone, Copy)]
struct ToMark {
    message: u64,
    due: Moment,
}

/// How a conversation with an edge ended.
enum Ended {
    /// Come again after this.
    Away(Duration),
    /// The run is over.
    Over,
}

impl Participant {
    /// Reads everything that was ever said in the conversation, and what will be.
    pub fn new(part: Part, board: Arc<Board>, edges: Arc<[SocketAddr]>) -> Self {
        let role = if part.outbox.is_some() { "writer" } else { "reader" };
        let name = format!("{role} {} in {}", part.client, part.conversation);
        Self {
            accidents: StdRng::seed_from_u64(part.seed),
            stream: Stream { name, conversation: part.conversation, ..Stream::default() },
            since: 0,
            n_posts: 0,
            mark: None,
            asleep: board.asleep(),
            heard_at: 0,
            connected_at: 0,
            part,
            board,
            edges,
        }
    }

    /// Runs until the board says that it is over.
    pub async fn run(mut self) -> (Stream, Option<Sender>) {
        let mut phase = self.board.phase();
        let mut failures = 0;
        while *phase.borrow() != Phase::Over {
            // Like a load balancer, which knows no places.
            let edge = self.edges[self.accidents.random_range(0..self.edges.len())];
            let path = format!(
                "/ws/chat/{}/?token={}&since={}",
                self.part.conversation,
                self.part.person.access_token(),
                self.since
            );
            let heard_before = self.heard_at;
            let mut pause = Duration::ZERO;
            if let Some(line) = Line::open(edge, &path, None).await {
                self.connected_at = self.board.now();
                match self.converse(line, &mut phase).await {
                    Ended::Away(hint) => pause = hint,
                    Ended::Over => break,
                }
            }
            failures = if self.heard_at > heard_before { 0 } else { failures + 1 };
            let longest = (100 << failures.min(4)) as f64;
            let jitter = Duration::from_millis(self.accidents.random_range(longest / 2.0..longest) as u64);
            timeout(pause.max(jitter), is_over(&mut phase)).await.ok();
        }
        (self.stream, self.part.outbox.map(Outbox::into_sender))
    }

    async fn converse(&mut self, mut line: Line, phase: &mut watch::Receiver<Phase>) -> Ended {
        let every = if self.part.outbox.is_some() { 50 } else { 1_000 };
        let first = Instant::now() + Duration::from_millis(self.accidents.random_range(0..every));
        let mut ticks = interval_at(first, Duration::from_millis(every));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.heard_at = self.board.now();
        if let Some(outbox) = &mut self.part.outbox {
            outbox.line_lost(self.heard_at);
        }
        let mut asked = false;
        loop {
            if self.part.sleeps {
                self.asleep.wait_for(|asleep| !asleep).await.ok();
            }
            tokio::select! {
                heard = line.hear() => {
                    asked = false;
                    self.heard_at = self.board.now();
                    match heard {
                        Heard::Text(text) => self.take(&text),
                        Heard::Life => {}
                        Heard::Goodbye(code, reason) => return Ended::Away(self.sent_away(code, &reason)),
                        Heard::Gone => return Ended::Away(Duration::ZERO),
                    }
                    self.board.heard(self.part.client);
                }
                _ = ticks.tick() => {
                    let silence = self.board.now().saturating_sub(self.heard_at);
                    let mut frames = self.act();
                    if silence > DEAD_SILENCE || self.gives_up() {
                        return Ended::Away(Duration::ZERO);
                    }
                    if silence > SILENCE && !asked {
                        asked = true;
                        frames.push(r#"{"type":"ping"}"#.to_owned());
                    }
                    if !frames.is_empty() && !line.say(frames).await {
                        return Ended::Away(Duration::ZERO);
                    }
                }
                () = is_over(phase) => return Ended::Over,
            }
        }
    }

    /// Some try more often on one line than others.
    fn gives_up(&mut self) -> bool {
        self.part.outbox.as_ref().is_some_and(Outbox::despairs) && self.accidents.random_bool(0.5)
    }

    /// What is to be sent now.
    fn act(&mut self) -> Vec<String> {
        let now = self.board.now();
        let Some(outbox) = &mut self.part.outbox else {
            self.board.set_busy(self.part.client, self.mark.is_some());
            let Some(mark) = self.mark.as_mut().filter(|mark| mark.due <= now) else { return Vec::new() };
            mark.due = now + MARK_PATIENCE;
            return vec![format!(r#"{{"type":"read","message_id":{}}}"#, mark.message)];
        };
        if *self.board.phase().borrow() == Phase::Running {
            outbox.begin(now);
        }
        let frames = outbox.due(now);
        self.board.set_busy(self.part.client, outbox.is_busy());
        frames
    }

    /// How long to wait before coming again.
    fn sent_away(&mut self, code: u16, reason: &str) -> Duration {
        let now = self.board.now();
        let is_expired = code == 4001 && now.saturating_sub(self.connected_at) > TOKEN_LIFE;
        if matches!(code, 1002 | 1007 | 1009 | 4001 | 4003 | 4004) && !is_expired {
            self.stream.refusals.push((now, format!("goodbye, {code}: {reason}")));
            return Duration::from_secs(1);
        }
        let hint = reason.rsplit_once("retry_after_ms=").and_then(|(_, hint)| hint.parse().ok());
        hint.map(Duration::from_millis).unwrap_or_default()
    }

    fn take(&mut self, text: &str) {
        let now = self.board.now();
        let Ok(frame) = serde_json::from_str::<Incoming<'_>>(text) else {
            self.stream.refusals.push((now, format!("something that is no frame: {text}")));
            return;
        };
        let content = || Content::of_text(frame.content.as_deref().unwrap_or_default());
        match frame.kind {
            "chat_message" => self.hear(&frame, frame.sender_id, Tale::Posted(content()), now),
            "edit" => self.hear(&frame, frame.editor_id, Tale::Edited(content()), now),
            "delete" => self.hear(&frame, frame.deleter_id, Tale::Deleted, now),
            "read_receipt" => self.hear(&frame, frame.reader_id, Tale::Read, now),
            "caught_up" => {
                self.since = self.since.max(frame.seq.unwrap_or_default());
                self.board.told_up_to(self.part.client, self.since);
            }
            "ack" => self.is_acknowledged(&frame, now),
            "error" => self.is_refused(&frame, text, now),
            _ => {}
        }
    }

    fn hear(&mut self, frame: &Incoming<'_>, account: Option<u32>, tale: Tale, at: Moment) {
        let (Some(seq), Some(message), Some(account)) = (frame.seq, frame.message_id, account) else {
            self.stream.refusals.push((at, format!("an event without seq, message or account: {frame:?}")));
            return;
        };
        let told = Told { seq, message, account, at, tale };
        self.stream.told.push(told);
        self.since = self.since.max(seq);
        self.board.told(self.part.client, seq);
        let is_own = u64::from(account) == self.part.person.id;
        if let Some(outbox) = &mut self.part.outbox {
            outbox.told(&told, at);
        } else if matches!(tale, Tale::Posted(_)) {
            self.n_posts += 1;
            if self.part.marks && self.mark.is_none() && self.n_posts.is_multiple_of(POSTS_PER_MARK) {
                self.mark = Some(ToMark { message, due: at });
            }
        } else if tale == Tale::Read && is_own && self.mark.is_some_and(|mark| mark.message <= message) {
            self.mark = None;
        }
    }

    fn is_acknowledged(&mut self, frame: &Incoming<'_>, now: Moment) {
        let (Some(outbox), Some(name), Some(id)) = (&mut self.part.outbox, &frame.client_id, frame.message_id) else {
            self.stream.refusals.push((now, format!("an acknowledgement that nobody waits for: {frame:?}")));
            return;
        };
        if let Some(sent) = outbox.acknowledged(name, id, now) {
            self.board.acknowledged(self.part.client, sent);
            self.board.stands_at_least_at(self.part.client, id);
        }
        self.board.set_busy(self.part.client, outbox.is_busy());
    }

    fn is_refused(&mut self, frame: &Incoming<'_>, text: &str, now: Moment) {
        let code = frame.code.as_deref().unwrap_or_default();
        let outbox = &mut self.part.outbox;
        let is_deleted = |message| outbox.as_ref().is_some_and(|outbox| outbox.has_deleted(message));
        let (is_right, pause) = match code {
            "unavailable" | "rate_limited" => (true, 500),
            "already_deleted" | "message_deleted" => (frame.message_id.is_some_and(is_deleted), 2_000),
            _ => (false, 2_000),
        };
        if !is_right {
            self.stream.refusals.push((now, text.to_owned()));
        }
        let due = now + frame.retry_after_ms.unwrap_or(pause);
        if let Some(mark) = self.mark.as_mut().filter(|mark| Some(mark.message) == frame.message_id) {
            mark.due = due;
        }
        if let Some(outbox) = outbox {
            outbox.try_again(frame.client_id.as_deref(), frame.message_id, due);
        }
    }
}

async fn is_over(phase: &mut watch::Receiver<Phase>) {
    phase.wait_for(|phase| *phase == Phase::Over).await.ok();
}

//! What each service must not do in NATS, with the rights that it is deployed with. What it may do, the stories show
//! with the programs themselves.

use async_nats::{Client, ConnectOptions, Event};
use natter_log_nats::{Access, JetStream, StreamSettings, provision};
use natter_tests::servers::guard::Guard;
use natter_tests::servers::nats::NatsServer;
use natter_tests::wait::within_patience;
use tokio::sync::mpsc;

/// A guarded server with its log.
async fn server() -> (Guard, NatsServer) {
    let guard = Guard::new();
    let mut server = NatsServer::guarded(&guard);
    server.start().await;
    let access = Access::at(&server.url(), "provision").roots(Some(guard.authority()));
    let access = access.seed(Some(guard.seed("provision").to_owned())).expect("it is a seed");
    provision(&access, &StreamSettings::default()).await.expect("provisioning may do what it needs");
    (guard, server)
}

/// Somebody who has got hold of a service's key.
struct Thief {
    client: Client,
    complaints: mpsc::UnboundedReceiver<String>,
}

impl Thief {
    async fn with_key_of(user: &str, guard: &Guard, server: &NatsServer) -> Self {
        let (tell, complaints) = mpsc::unbounded_channel();
        let options = ConnectOptions::with_nkey(guard.seed(user).to_owned())
            .add_root_certificates(guard.authority())
            .event_callback(move |event| {
                if let Event::ServerError(error) = event {
                    tell.send(error.to_string()).ok();
                }
                std::future::ready(())
            });
        Self { client: options.connect(server.url()).await.expect("the key is good"), complaints }
    }

    async fn may_not_say(&mut self, subject: &str) {
        self.client.publish(subject.to_owned(), "{}".into()).await.expect("the line is up");
        self.is_refused("publish", subject).await;
    }

    async fn may_not_hear(&mut self, subject: &str) {
        let _heard = self.client.subscribe(subject.to_owned()).await.expect("the line is up");
        self.is_refused("subscription", subject).await;
    }

    async fn is_refused(&mut self, what: &str, subject: &str) {
        let complaint = within_patience("a refusal", self.complaints.recv()).await.expect("the line is kept");
        let complaint = complaint.to_lowercase();
        assert!(complaint.contains("permissions violation") && complaint.contains(what), "{subject}: {complaint}");
        assert!(complaint.contains(&format!("\"{}\"", subject.to_lowercase())), "{subject}: {complaint}");
    }
}

/// Nobody but people may do these.
const HARM: [&str; 8] = [
    "$JS.API.STREAM.DELETE.CHAT",
    "$JS.API.STREAM.PURGE.CHAT",
    "$JS.API.STREAM.MSG.DELETE.CHAT",
    "$JS.API.STREAM.CREATE.OTHER",
    "$JS.API.STREAM.SNAPSHOT.CHAT",
    "$JS.API.CONSUMER.DELETE.CHAT.persistence",
    "$JS.API.CONSUMER.CREATE.CHAT.other",
    "$SYS.REQ.SERVER.PING",
];

/// What each may not say, besides; what the log says itself is among it.
const NOT_SAID: [(&str, &[&str]); 6] = [
    (
        "edge",
        &[
            "live.7.event",
            "chat.7.other",
            "$JS.API.STREAM.UPDATE.CHAT",
            "$JS.API.CONSUMER.MSG.NEXT.CHAT.persistence",
            "$JS.ACK.CHAT.persistence.1.1.1.1.0",
            "_INBOX.persistence.x",
        ],
    ),
    ("authz", &["live.7.event", "live.7.signal", "$JS.API.DIRECT.GET.CHAT", "$JS.API.STREAM.UPDATE.CHAT"]),
    ("persistence", &["chat.7", "live.7.event", "live.7.signal", "$JS.API.STREAM.UPDATE.CHAT"]),
    ("redis-adapter", &["live.7.event", "$JS.API.CONSUMER.MSG.NEXT.CHAT.persistence", "$JS.API.STREAM.UPDATE.CHAT"]),
    ("mirror", &["chat.7", "live.7.event", "live.7.signal", "$JS.API.CONSUMER.MSG.NEXT.CHAT.persistence"]),
    ("provision", &["chat.7", "live.7.event", "$JS.API.DIRECT.GET.CHAT", "$JS.API.STREAM.MSG.GET.CHAT"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_service_does_harm_with_its_key() {
    let (guard, server) = server().await;
    for (user, not_said) in NOT_SAID {
        let mut thief = Thief::with_key_of(user, &guard, &server).await;
        for subject in HARM.iter().chain(not_said) {
            thief.may_not_say(subject).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_hears_what_others_are_told() {
    let (guard, server) = server().await;
    for (user, _) in NOT_SAID {
        let mut thief = Thief::with_key_of(user, &guard, &server).await;
        for other in NOT_SAID.iter().map(|(other, _)| *other).filter(|other| *other != user) {
            thief.may_not_hear(&format!("_INBOX.{other}.>")).await;
        }
        for subject in [">", "_INBOX.>", "_INBOX.admin.>", "chat.*", "$SYS.>"] {
            thief.may_not_hear(subject).await;
        }
        if ["authz", "persistence", "provision"].contains(&user) {
            thief.may_not_hear("live.*.*").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_key() {
    let (guard, server) = server().await;
    let stranger = ConnectOptions::new().add_root_certificates(guard.authority()).connect(server.url()).await;
    assert!(stranger.is_err());
    let other = Guard::new();
    let stranger = ConnectOptions::with_nkey(other.seed("edge").to_owned());
    assert!(stranger.add_root_certificates(guard.authority()).connect(server.url()).await.is_err());
    let unsure = ConnectOptions::with_nkey(guard.seed("edge").to_owned());
    let unsure = unsure.add_root_certificates(other.authority()).connect(server.url()).await;
    assert!(unsure.is_err(), "it does not believe a server that it does not know");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_the_rights_of_an_edge_has_a_log() {
    let (guard, server) = server().await;
    let access = Access::at(&server.url(), "edge").roots(Some(guard.authority()));
    let access = access.seed(Some(guard.seed("edge").to_owned())).expect("it is a seed");
    let log = JetStream::connect(&access).await.expect("the URL is one");
    let mut state = log.state();
    let ready = state.wait_for(|state| *state == natter_log_nats::State::Ready);
    within_patience("the log is ready", ready).await.expect("the connection is kept");
}

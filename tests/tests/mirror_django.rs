//! What is said in Natter stands in Django's tables too, as Django's own ORM reads it, whatever happens to the mirror.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use natter_tests::client::Client;
use natter_tests::deployment::{Deployment, mirror};
use natter_tests::django::{Django, Layer};
use natter_tests::fixture::{PASSWORD, Person, World};
use natter_tests::process::{Finished, Launch};
use natter_tests::servers::jetstream;
use natter_tests::servers::redis::Redis;
use natter_tests::service::Service;
use natter_tests::stack::{Shape, Stack};
use natter_tests::wait::until;
use serde_json::{Value, json};

/// Where Natter's ids begin.
const FIRST: &str = "1000000000";

/// A Django that does not run, and a Natter into which it was imported.
struct Move {
    django: Django,
    natter: Stack,
    mirror: Service,
    database: String,
    _folder: tempfile::TempDir,
}

impl Move {
    async fn begin() -> Self {
        let mut deployment = Deployment::real();
        deployment.start_servers().await;
        let database = deployment.servers().postgres.create_database("django");
        deployment.natter(["provision", "--first-sequence", FIRST]).run().succeeded();
        deployment.natter(["migrate"]).run().succeeded();
        Self::into(deployment, Shape::Real, &database, &database).await
    }

    /// `url` is what Django calls its database.
    async fn into(mut deployment: Deployment, shape: Shape, database: &str, url: &str) -> Self {
        let mut world = World::of_a_fleet();
        world.accounts.push(Person::new(4, "zoe"));
        let django = Django::new(url, Layer::Core, &Redis::new()).with(&world);
        deployment.natter(["import-django", "--from", database]).run().succeeded();
        deployment.start_services();
        deployment.is_ready().await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mirror = mirror(&deployment, folder.path(), database);
        let natter = Stack::of(shape, &world, deployment);
        Self { django, natter, mirror, database: database.to_owned(), _folder: folder }
    }

    /// `ana` and `bob` in the conversation that was imported.
    async fn two_in_a_chat(&self) -> (Client, Client) {
        let (mut ana, mut bob) = (self.natter.client("ana"), self.natter.client("bob").on_edge(1));
        ana.joins(1).await;
        bob.joins(1).await;
        (ana, bob)
    }

    async fn runs(&self, more: &[&str]) -> Finished {
        let arguments = [&["mirror-django", "--to", &self.database], more].concat();
        self.natter.deployment().await.natter(arguments).run()
    }

    /// Everything that was said is in both, alike. Tells how many messages that were.
    async fn is_alike(&self) -> u64 {
        until("the mirror has come to the log's end, and the store too", async || {
            let said = self.runs(&["--check"]).await.succeeded();
            assert!(said.contains("Differences: 0."), "{said}");
            let n = said.split("Messages that are alike: ").nth(1)?.split('.').next()?.parse().ok()?;
            let is_through = said.contains("; 0 records stand behind") && said.contains("Changed meanwhile: 0.");
            is_through.then_some(n)
        })
        .await
    }

    /// As it does with what is older than it shall keep.
    async fn log_lets_go_up_to(&self, seq: u64) {
        let port = self.natter.deployment().await.servers().nats.port();
        let info = async || jetstream::ask(port, "STREAM.INFO.CHAT", "").await.expect("the stream is there");
        let kept = info().await["config"].clone();
        let mut forgetful = kept.clone();
        for time in ["max_age", "duplicate_window"] {
            forgetful[time] = json!(100_000_000);
        }
        for config in [&forgetful, &kept] {
            jetstream::ask(port, "STREAM.UPDATE.CHAT", &config.to_string()).await.expect("the server takes it");
            let has_let_go = async || (info().await["state"]["first_seq"].as_u64()? > seq).then_some(());
            until("the log has let go", has_let_go).await;
        }
    }

    /// What Django's ORM has of a model.
    fn rows(&self, model: &str) -> Vec<Value> {
        let dumped = self.django.manage(["dumpdata", model, "--verbosity", "0"]).run().succeeded();
        serde_json::from_str(&dumped).expect("Django writes JSON")
    }

    /// What its messages say, by id.
    fn contents(&self) -> Vec<String> {
        let mut rows = self.rows("chat.message");
        rows.sort_by_key(|row| row["pk"].as_u64());
        rows.iter().map(|row| row["fields"]["content"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Lets Django's ORM do something; answers with what it prints.
    fn orm(&self, program: &str) -> String {
        let program = format!("from chat.models import Conversation, Message\n{program}");
        self.django.manage(["shell", "--verbosity", "0", "-c", &program]).run().succeeded().trim().to_owned()
    }
}

/// Each way of saying something becomes the row that Django itself would have made.
#[tokio::test]
async fn what_is_said_at_natter_is_djangos_too() {
    let mut chat = Move::begin().await;
    chat.mirror.start();
    chat.mirror.is_ready().await;
    let (mut ana, mut bob) = chat.two_in_a_chat().await;
    let said = ana.says("  said at Natter 👋 ").await;
    let wrong = ana.says("wrong").await;
    ana.edits(&said, "edited at Natter").await;
    bob.reads(&said).await;
    ana.deletes(&wrong).await;
    bob.reads(&natter_tests::frame::Frame(json!({"message_id": 1}))).await;
    let new = bob.starts_a_chat_with(&chat.natter.client("zoe")).await;
    bob.joins(new).await;
    bob.says("in a conversation of our own").await;
    assert_eq!(chat.is_alike().await, 3);

    let rows = chat.rows("chat.message");
    let fields = |id: u64| &rows.iter().find(|row| row["pk"] == id).expect("it is there")["fields"];
    let row = fields(said.message_id());
    assert_eq!(
        (&row["content"], &row["conversation"], &row["sender"]),
        (&json!("edited at Natter"), &json!(1), &json!(1))
    );
    assert_eq!((&row["is_read"], &row["attachment"], &row["is_deleted"]), (&json!(true), &json!(""), &json!(false)));
    assert!(row["edited_at"].is_string() && row["read_at"].is_string() && row["timestamp"].is_string(), "{row}");
    let row = fields(wrong.message_id());
    assert_eq!((&row["content"], &row["is_deleted"], &row["edited_at"]), (&json!(""), &json!(true), &Value::Null));
    assert_eq!(fields(1)["is_read"], json!(true), "also of what Django had said");
    let rooms = chat.rows("chat.conversation");
    let room = rooms.iter().find(|row| row["pk"] == new).expect("it is there");
    assert_eq!(room["fields"]["participants"], json!([2, 4]));

    // As Django's cascade would.
    assert_eq!(bob.delete(&format!("/api/chat/conversations/{new}/")).await.status, 204);
    until("the conversation is gone", async || (chat.rows("chat.conversation").len() == 1).then_some(())).await;
    assert_eq!(chat.is_alike().await, 2);
    assert!(chat.mirror.metrics().await.value("natter_mirror_rows_total") >= 8.0);
    assert!(chat.mirror.terminate().await.success());
}

/// However often it is killed, each message is there once; and what Django changed by itself is found.
#[tokio::test]
async fn a_mirror_that_is_killed_goes_on_where_it_was() {
    let mut chat = Move::begin().await;
    let (mut ana, mut bob) = chat.two_in_a_chat().await;
    let mut said = Vec::new();
    for round in 0..4 {
        chat.mirror.start();
        for word in 0..25 {
            said.push(ana.says(&format!("{round}/{word}")).await);
            bob.reads(&said[said.len() - 1]).await;
            if word == 10 * round {
                chat.mirror.is_ready().await;
            }
        }
        chat.mirror.kill();
    }
    chat.mirror.start();
    chat.mirror.is_ready().await;
    assert_eq!(chat.is_alike().await, 100);
    let words: Vec<&str> = said.iter().map(|frame| frame["content"].as_str().expect("a content")).collect();
    assert_eq!(chat.contents()[5..], words);

    // The database and the log may go away for a while too.
    chat.natter.deployment().await.servers().nats.kill();
    chat.natter.deployment().await.servers().nats.start().await;
    chat.natter.deployment().await.servers().postgres.crash().await;
    chat.natter.deployment().await.servers().postgres.start().await;
    chat.natter.deployment().await.is_ready().await;
    chat.mirror.is_ready().await;
    // Whoever came now could be asked to try again: authz may not yet have noticed which of its connections are dead.
    ana.says("all are back").await;
    assert_eq!(chat.is_alike().await, 101);
    chat.mirror.terminate().await;

    let [altered, missing] = [7, 8].map(|n| said[n].message_id());
    chat.orm(&format!(
        "Message.objects.filter(id={altered}).update(content='by hand')\n\
         Message.objects.filter(id={missing}).delete()"
    ));
    let found = chat.runs(&["--check"]).await;
    assert_eq!(found.status.code(), Some(1), "{}", found.stdout);
    for line in [
        format!("Differs: message {altered} differs in content."),
        format!("Differs: message {missing} is not in Django's tables."),
        "Differences: 2.".to_owned(),
    ] {
        assert!(found.stdout.contains(&line), "{line}: {}", found.stdout);
    }
    chat.runs(&["--once", "--from-start"]).await.succeeded();
    let found = chat.runs(&["--check"]).await;
    assert!(found.stdout.contains("Differences: 1."), "what is missing is back: {}", found.stdout);
}

/// What the log has let go of comes from the store.
#[tokio::test]
async fn a_mirror_that_comes_late_misses_nothing() {
    let mut chat = Move::begin().await;
    let (mut ana, mut bob) = chat.two_in_a_chat().await;
    let first = ana.says("first").await;
    chat.runs(&["--once"]).await.succeeded();
    let second = ana.says("second").await;
    let gone = ana.says("gone").await;
    ana.edits(&first, "the first").await;
    bob.reads(&second).await;
    let last = ana.deletes(&gone).await;
    // Stored, so that it may be let go of.
    assert_eq!(ana.history().await.last().map(String::as_str), Some("second"));
    chat.log_lets_go_up_to(last.seq()).await;
    ana.says("third").await;
    chat.mirror.start();
    chat.mirror.is_ready().await;
    assert_eq!(chat.is_alike().await, 4);
    assert_eq!(chat.contents()[5..], ["the first", "second", "", "third"]);
}

/// Whom Django does not know, nobody can find there; who is made there later has said everything.
#[tokio::test]
async fn who_is_unknown_to_django_is_told() {
    let mut chat = Move::begin().await;
    gives(&chat.natter.deployment().await.natter(["account", "create", "kim", "--password-stdin"]), PASSWORD);
    chat.mirror.start();
    chat.mirror.is_ready().await;
    let mut ana = chat.natter.client("ana");
    let mut kim = Client::log_in(chat.natter.clone(), "kim", PASSWORD).await;
    let conversation = kim.starts_a_chat_with(&ana).await;
    kim.joins(conversation).await;
    ana.joins(conversation).await;
    kim.says("nobody in Django knows me").await;
    ana.says("welcome").await;
    until("ana's message is there", async || chat.contents().contains(&"welcome".to_owned()).then_some(())).await;
    let log = chat.mirror.running().log();
    assert!(log.contains(&format!("Django has no account {}", kim.id)), "{log}");
    assert!(chat.mirror.metrics().await.sum("natter_mirror_skipped_total") >= 1.0);
    let found = chat.runs(&["--check"]).await;
    assert_eq!(found.status.code(), Some(1), "{}", found.stdout);
    assert!(
        found.stdout.contains(&format!("Differs: conversation {conversation} has other participants")),
        "{}",
        found.stdout
    );
    chat.mirror.terminate().await;

    chat.orm(&format!("from accounts.models import Account; Account.objects.create(id={}, username='kim')", kim.id));
    chat.runs(&["--once", "--from-start"]).await.succeeded();
    assert_eq!(chat.is_alike().await, 2);
}

/// Runs it, with this as its standard input.
fn gives(launch: &Launch, input: &str) {
    let mut child = launch.command().stdin(Stdio::piped()).spawn().expect("it can be run");
    let mut stdin = child.stdin.take().expect("it has a standard input");
    writeln!(stdin, "{input}").expect("it reads");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
}

/// Nobody sends any more, and Django goes on alone: with ids of its own, behind all of Natter's.
#[tokio::test]
async fn django_goes_on_where_natter_ended() {
    let mut chat = Move::begin().await;
    let (mut ana, mut bob) = chat.two_in_a_chat().await;
    let said = ana.says("the last at Natter").await;
    let read = bob.reads(&said).await;
    ana.starts_a_chat_with(&bob).await;
    chat.natter.deployment().await.kill_services();
    chat.runs(&["--finish"]).await.succeeded();
    let create = "print(Message.objects.create(conversation_id=1, sender_id=1, content='back at Django').id)";
    let id: u64 = chat.orm(create).parse().expect("an id");
    assert_eq!(id, read.seq() + 1, "behind every position that was given out");
    chat.orm("Conversation.objects.create().participants.set([1, 2])");
    assert_eq!(chat.contents()[5..], ["the last at Natter", "back at Django"]);

    chat.mirror.start();
    let status = chat.mirror.running().ends().await;
    assert_eq!(status.code(), Some(2));
    assert!(chat.mirror.running().log().contains("Django goes on alone"), "{}", chat.mirror.running().log());
}

/// A Django on SQLite and a Natter in one process: one after the other.
#[tokio::test]
async fn a_file_is_mirrored_at_the_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("django.sqlite");
    let chat = file_move(&file).await;
    let (mut ana, _) = chat.two_in_a_chat().await;
    let said = ana.says("said at Natter").await;
    for (more, why) in [(&[][..], "--once"), (&["--once"][..], "another natter is running")] {
        let refused = chat.runs(more).await;
        assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    chat.natter.deployment().await.service("natter").terminate().await;
    chat.runs(&["--once"]).await.succeeded();
    assert_eq!(chat.is_alike().await, 1);
    chat.runs(&["--finish"]).await.succeeded();
    let id: u64 = chat
        .orm("print(Message.objects.create(conversation_id=1, sender_id=1, content='back').id)")
        .parse()
        .expect("an id");
    assert_eq!(id, said.message_id() + 1);
    assert_eq!(chat.contents()[5..], ["said at Natter", "back"]);
}

async fn file_move(file: &Path) -> Move {
    let url = format!("sqlite:///{}", file.display());
    let deployment = Deployment::local(1);
    Move::into(deployment, Shape::Local, &file.display().to_string(), &url).await
}

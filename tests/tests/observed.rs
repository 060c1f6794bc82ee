//! What rules, dashboards and autoscalers ask for is what the programs tell: each name, each label, each of its values.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use natter_tests::client::Client;
use natter_tests::fixture::PASSWORD;
use natter_tests::stack::Shape;
use natter_tests::wait::until;
use serde_json::json;

/// Labels that Prometheus or Kubernetes put there.
const FROM_OUTSIDE: [&str; 5] = ["namespace", "job", "pod", "instance", "le"];
/// Where questions are asked.
const ASKED_IN: [&str; 2] = ["k8s/components/monitoring", "k8s/components/autoscaling"];
/// What only a Natter beside Django has.
const BESIDE_DJANGO: [&str; 2] = ["natter_channels_", "natter_mirror_"];

/// A metric that somebody asks for, with the labels and values that it must have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    name: String,
    labels: Vec<(String, String)>,
}

impl Asked {
    fn is_in(&self, scrape: &str) -> bool {
        scrape.lines().any(|line| {
            let rest = line.strip_prefix(self.name.as_str()).unwrap_or_default();
            let is_it = rest.starts_with(['{', ' ']);
            is_it && self.labels.iter().all(|(label, value)| rest.contains(&format!("{label}=\"{value}\"")))
        })
    }
}

/// Everything of ours that stands in a text of rules or panels.
fn asked(text: &str) -> BTreeSet<Asked> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let text = text.replace("\\\"", "\"");
    let mut found = BTreeSet::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(is_part) {
        let length = rest[start..].find(|letter| !is_part(letter)).unwrap_or(rest.len() - start);
        let name = &rest[start..start + length];
        rest = &rest[start + length..];
        if (name.starts_with("natter_") || name.starts_with("process_")) && !name.contains(':') {
            let selector =
                rest.strip_prefix('{').and_then(|inner| inner.split_once('}')).map_or("", |(inner, _)| inner);
            found.extend(asked_of(name, selector));
        }
    }
    found
}

/// One for each value of its labels.
fn asked_of(name: &str, selector: &str) -> Vec<Asked> {
    let mut all = vec![Asked { name: name.to_owned(), labels: Vec::new() }];
    for matcher in selector.split(',') {
        let Some((label, values)) = matcher.split_once('=') else { continue };
        if FROM_OUTSIDE.contains(&label.trim()) || label.ends_with('!') {
            continue;
        }
        let values = values.trim_start_matches('~').trim_matches('"').split('|');
        all.extend(
            values.map(|value| Asked {
                name: name.to_owned(),
                labels: vec![(label.trim().to_owned(), value.to_owned())],
            }),
        );
    }
    all
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is in the repository");
    let paths = entries.map(|entry| entry.expect("a folder can be read").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What each program tells once everybody has done something.
async fn told() -> Vec<(&'static str, String)> {
    let stack = Shape::Real.start().await;
    let (mut ana, mut bob) = stack.two_in_a_chat().await;
    let seen = bob.hears(ana.says("one").await).await;
    bob.drops_the_line();
    let missed = ana.says("two").await;
    bob.reconnects_after(seen).await;
    bob.catches_up_on([missed], seen).await;
    Client::log_in(stack.clone(), "ana", PASSWORD).await;
    ana.sends(json!({"type": "message", "content": ""})).await;
    ana.is_told().await;

    let names = ["edge-1", "edge-2", "authz", "persistence-1", "persistence-2"];
    until("what takes a moment is counted", async || {
        let mut deployment = stack.deployment().await;
        let (mut n_closed, mut n_stored) = (0.0, 0.0);
        for name in names {
            let counted = deployment.service(name).metrics().await;
            n_closed += counted.sum("natter_closes_total");
            n_stored += counted.value("natter_fold_records_total");
        }
        (n_closed >= 1.0 && n_stored >= 2.0).then_some(())
    })
    .await;
    let mut deployment = stack.deployment().await;
    let mut told = Vec::new();
    for name in names {
        let (_, text) = deployment.service(name).probe("metrics").await.expect("the ops port answers");
        told.push((name, text));
    }
    told
}

#[tokio::test]
async fn what_is_asked_for_is_told() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the repository");
    let files = ASKED_IN.iter().flat_map(|folder| files(&repository.join(folder)));
    let text: String = files.map(|file| std::fs::read_to_string(file).expect("it is a text")).collect();
    let asked: BTreeSet<Asked> = asked(&text)
        .into_iter()
        .filter(|asked| !BESIDE_DJANGO.iter().any(|prefix| asked.name.starts_with(prefix)))
        .collect();
    assert!(asked.len() > 40, "{asked:?}");

    let told = told().await;
    let all: String = told.iter().map(|(_, text)| text.as_str()).collect();
    let missing: Vec<&Asked> = asked.iter().filter(|asked| !asked.is_in(&all)).collect();
    assert!(missing.is_empty(), "nobody tells {missing:#?}");
    told.iter().for_each(|(name, text)| is_as_prometheus_wants_it(name, text));
}

/// Names, units, help: `promtool check metrics`.
fn is_as_prometheus_wants_it(name: &str, text: &str) {
    let mut promtool = Command::new("promtool");
    let promtool =
        promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut checking = promtool.spawn().expect("promtool, of Debian's package prometheus, can be run");
    checking.stdin.take().expect("it has an input").write_all(text.as_bytes()).expect("it reads its input");
    let checked = checking.wait_with_output().expect("it ends");
    let complaints = String::from_utf8_lossy(&checked.stderr).into_owned() + &String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && complaints.trim().is_empty(), "{name}: {complaints}");
}

#[test]
fn questions_are_found_with_their_labels() {
    let text = r#"sum(rate(natter_a_total{outcome=~"x|y",pod="p"}[5m])) / natter_b > natter:b:c and "expr": "natter_c{type=\"z\"}""#;
    let one = |name: &str, label: &str, value: &str| {
        let labels = if label.is_empty() { vec![] } else { vec![(label.to_owned(), value.to_owned())] };
        Asked { name: name.to_owned(), labels }
    };
    let expected = [
        one("natter_a_total", "", ""),
        one("natter_a_total", "outcome", "x"),
        one("natter_a_total", "outcome", "y"),
        one("natter_b", "", ""),
        one("natter_c", "", ""),
        one("natter_c", "type", "z"),
    ];
    assert_eq!(asked(text), expected.into_iter().collect());
    assert!(one("natter_a_total", "outcome", "x").is_in("natter_a_total{k=\"v\",outcome=\"x\"} 1\n"));
    assert!(!one("natter_a", "", "").is_in("natter_a_total 1\n"));
}

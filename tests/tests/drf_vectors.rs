//! Every exchange of `drf.json`, in order, against the real program.

use std::collections::{BTreeMap, BTreeSet};

use natter_tests::fixture::{PASSWORD, World};
use natter_tests::rest::{Answer, Rest};
use natter_tests::stack::Shape;
use natter_tests::story;
use natter_tests::vectors::{Comparison, MessageIds};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

/// Keys that Natter's conversation objects carry beyond the recorded ones.
const ADDITIONS: &[&str] =
    &["last_message", "last_message_timestamp", "unread_count", "other_participant_id", "other_participant_name"];

/// The account of the recorded token `me`.
const ME: u64 = 2;

/// Sections that record other software than the one Natter stands in for.
const FOR_INFORMATION: &[&str] = &["stock simplejwt views", "later page style"];

#[derive(Deserialize)]
struct Vectors {
    tokens: BTreeMap<String, String>,
    state: World,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    section: String,
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    url: String,
    auth: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// `null` is a body too.
    #[serde(default, deserialize_with = "present")]
    json: Option<Value>,
    form: Option<BTreeMap<String, Value>>,
    files: Option<BTreeMap<String, Upload>>,
    raw: Option<Raw>,
    content_type: Option<String>,
}

#[derive(Deserialize)]
struct Upload {
    name: String,
    content: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Text(String),
    Bytes { latin1: String },
}

#[derive(Deserialize, Clone)]
struct Response {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "present")]
    body: Option<Value>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What Natter answers otherwise to one step, on purpose. The rest of the answer is as recorded.
struct Exception {
    step: usize,
    url: &'static str,
    why: &'static str,
    instead: Instead,
}

enum Instead {
    /// Another body, made from the recorded ones.
    Body(fn(&[Step]) -> Value),
    /// Done, with this body.
    Done(Value),
    /// There is no such deed: 405, and this method in its text.
    NotAllowed(&'static str),
}

fn exceptions() -> Vec<Exception> {
    let exception = |step, url, why, instead| Exception { step, url, why, instead };
    let not_copied = "whoever takes part in nothing of it could make it: not to be copied";
    let spoofing = "it takes any sender: not to be copied";
    let mut all = vec![
        exception(
            79,
            "/api/chat/conversations/?search=mar",
            "the search of the reference finds nothing, ever; Natter's finds names of others",
            Instead::Body(|steps| json!([steps[77].body()[0]])),
        ),
        exception(
            168,
            "/api/chat/messages/1/edit/",
            "JSON is accepted wherever a form is",
            Instead::Done(json!({"status": "message edited successfully", "edited_at": "<now>"})),
        ),
        exception(
            181,
            "/api/chat/messages/?page_size=3",
            "the edit of step 168 was done",
            Instead::Body(|steps| {
                let mut body = steps[181].body().clone();
                body["results"][1]["content"] = "json".into();
                body
            }),
        ),
        exception(
            215,
            "/api/chat/messages/5/",
            "any participant could wipe out any message: not to be copied",
            Instead::NotAllowed("DELETE"),
        ),
    ];
    all.extend(
        (116..=119).map(|step| exception(step, "/api/chat/conversations/", not_copied, Instead::NotAllowed("POST"))),
    );
    all.extend((183..=187).map(|step| exception(step, "/api/chat/messages/", spoofing, Instead::NotAllowed("POST"))));
    all
}

impl Exception {
    fn apply(&self, steps: &[Step], recorded: &Response) -> Response {
        let (status, body) = match &self.instead {
            Instead::Body(body) => (recorded.status, body(steps)),
            Instead::Done(body) => (200, body.clone()),
            Instead::NotAllowed(method) => (405, json!({"detail": format!("Method \"{method}\" not allowed.")})),
        };
        let mut headers = recorded.headers.clone();
        headers.insert("Content-Type".to_owned(), "application/json".to_owned());
        Response { status, headers, body: Some(body) }
    }
}

/// Routes without all the methods that the reference's had: `Allow` names those that there are.
struct Route {
    path: &'static str,
    recorded: &'static str,
    allow: &'static str,
}

const ROUTES: &[Route] = &[
    Route { path: "/api/chat/conversations/", recorded: "GET, POST, HEAD, OPTIONS", allow: "GET, HEAD, OPTIONS" },
    Route {
        path: "/api/chat/conversations/",
        recorded: "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        allow: "GET, DELETE, HEAD, OPTIONS",
    },
    Route { path: "/api/chat/messages/", recorded: "GET, POST, HEAD, OPTIONS", allow: "GET, HEAD, OPTIONS" },
    Route {
        path: "/api/chat/messages/",
        recorded: "GET, PUT, PATCH, DELETE, HEAD, OPTIONS",
        allow: "GET, HEAD, OPTIONS",
    },
];

impl Step {
    /// The recorded body.
    fn body(&self) -> &Value {
        self.response.body.as_ref().expect("the step has a body")
    }

    /// The recorded answer, but with the methods that Natter has on this route.
    fn response(&self) -> Response {
        let mut response = self.response.clone();
        if let Some(allow) = response.headers.get_mut("Allow") {
            let mut routes = ROUTES.iter().filter(|route| self.request.url.starts_with(route.path));
            if let Some(route) = routes.find(|route| route.recorded == *allow) {
                *allow = route.allow.to_owned();
            }
        }
        response
    }
}

impl Request {
    fn build(&self, rest: &Rest, tokens: &BTreeMap<String, String>) -> RequestBuilder {
        let fill_in = |text: &str| {
            tokens.iter().fold(text.to_owned(), |text, (name, token)| text.replace(&format!("{{{name}}}"), token))
        };
        let method: Method = self.method.parse().expect("a recorded method");
        let mut request = rest.build(method, &self.url).header("Host", "testserver");
        if let Some(name) = &self.auth {
            request = request.bearer_auth(&tokens[name]);
        }
        for (name, value) in &self.headers {
            request = request.header(name, fill_in(value));
        }
        if let Some(json) = &self.json {
            request = request.header("Content-Type", "application/json").body(fill_in(&json.to_string()));
        }
        if let Some(fields) = &self.form {
            let fields = fields.iter().map(|(name, value)| (name.clone(), as_field(value)));
            request = match &self.files {
                Some(files) => request.multipart(multipart(fields, files)),
                None => request.form(&fields.collect::<Vec<_>>()),
            };
        }
        if let Some(raw) = &self.raw {
            let bytes = match raw {
                Raw::Text(text) => text.clone().into_bytes(),
                Raw::Bytes { latin1 } => latin1.chars().map(|c| u8::try_from(c).expect("latin-1")).collect(),
            };
            request = request.body(bytes);
        }
        match &self.content_type {
            Some(content_type) => request.header("Content-Type", content_type),
            None => request,
        }
    }
}

fn as_field(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn multipart(fields: impl Iterator<Item = (String, String)>, files: &BTreeMap<String, Upload>) -> Form {
    let form = fields.fold(Form::new(), |form, (name, value)| form.text(name, value));
    files.iter().fold(form, |form, (name, file)| {
        form.part(name.clone(), Part::text(file.content.clone()).file_name(file.name.clone()))
    })
}

/// What differs between an answer and the recorded one.
fn differences(recorded: &Response, answer: &Answer, ids: &mut MessageIds) -> Vec<String> {
    // Where Django breaks, the recording asks for a refusal instead.
    if recorded.status == 500 {
        let is_refusal = answer.status == 400 && answer.body.is_object();
        return if is_refusal { Vec::new() } else { vec![format!("no refusal: {} {}", answer.status, answer.text)] };
    }
    let mut found = Vec::new();
    if answer.status != recorded.status {
        found.push(format!("status is {}, recorded {}", answer.status, recorded.status));
    }
    for name in ["Content-Type", "Allow", "WWW-Authenticate", "Location"] {
        let recorded = recorded.headers.get(name).map_or("", String::as_str);
        if answer.header(name) != recorded {
            found.push(format!("{name} is {:?}, recorded {recorded:?}", answer.header(name)));
        }
    }
    if let Some(body) = &recorded.body {
        let mut comparison = Comparison { ids, additions: ADDITIONS };
        found.extend(comparison.differences(&in_order(body), &in_order(&answer.body)));
    } else if [204, 205].contains(&recorded.status) && !answer.text.is_empty() {
        found.push("there is a body".to_owned());
    }
    found
}

/// Lists of conversations come in no promised order.
fn in_order(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(items) = body.as_array_mut() {
        items.sort_by_key(|item| item["id"].as_u64());
    }
    body
}

/// Reset Content: how the reference answers who logs out.
const LOGGED_OUT: u16 = 205;

/// Whoever logs out takes the access token back too, which the reference keeps; so `me` logs in again to go on.
async fn log_in_again(rest: &Rest, world: &World, tokens: &mut BTreeMap<String, String>) {
    let me = world.accounts.iter().find(|person| person.id == ME).expect("the recorded state has me");
    let credentials = json!({"username": me.username, "password": PASSWORD});
    let answer = rest.post("/api/auth/login/", &credentials).await.expect_status(200);
    let access = answer["access"].as_str().expect("an access token");
    tokens.insert("me".to_owned(), access.to_owned());
}

story! {
    /// Each request is answered as recorded: status, headers, body.
    async fn every_exchange(shape: Shape) {
        let vectors: Vectors =
            serde_json::from_str(include_str!("../vectors/drf.json")).expect("drf.json as described");
        let stack = shape.start_with(&vectors.state).await;
        let rest = Rest::new(stack.edge(0));
        let mut ids = MessageIds::new(21);
        let mut exceptions: BTreeMap<usize, Exception> =
            exceptions().into_iter().map(|exception| (exception.step, exception)).collect();
        let mut tokens = vectors.tokens.clone();
        let mut wrong = Vec::new();
        let mut sections = BTreeSet::new();

        for (number, step) in vectors.steps.iter().enumerate() {
            sections.insert(step.section.as_str());
            if FOR_INFORMATION.contains(&step.section.as_str()) {
                continue;
            }
            let answer = Answer::of(step.request.build(&rest, &tokens)).await;
            if step.response.status == LOGGED_OUT {
                log_in_again(&rest, &vectors.state, &mut tokens).await;
            }
            let response = step.response();
            let mut found = match exceptions.remove(&number) {
                None => differences(&response, &answer, &mut ids),
                Some(exception) => {
                    assert_eq!(exception.url, step.request.url, "exception {number} is about another step");
                    let still = differences(&response, &answer, &mut MessageIds::new(u64::MAX));
                    assert!(!still.is_empty(), "step {number} needs no exception any more ({})", exception.why);
                    differences(&exception.apply(&vectors.steps, &response), &answer, &mut ids)
                }
            };
            if !found.is_empty() {
                found.push(format!("the answer was {} {:.600}", answer.status, answer.text));
                let request = format!("{} {}", step.request.method, step.request.url);
                wrong.push(format!("step {number} ({}) {request}:\n  {}", step.section, found.join("\n  ")));
            }
        }
        assert!(wrong.is_empty(), "{} exchanges differ:\n{}", wrong.len(), wrong.join("\n"));
        assert!(exceptions.is_empty(), "an exception names a step that there is not");
        assert!(FOR_INFORMATION.iter().all(|section| sections.contains(section)), "no section has another name");
    }
}

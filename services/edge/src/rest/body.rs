//! The fields in a request's body, whether it is JSON, a form or multipart.

use std::collections::HashMap;

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::answer::Refusal;
use super::field::{Field, FieldError};
use super::multipart::{self, Wanted};
use super::pieces;
use super::upload::Upload;

/// The most a body may hold besides a file, in bytes: Django's `DATA_UPLOAD_MAX_MEMORY_SIZE`.
pub(crate) const MAX_BODY_BYTES: u64 = 5 << 19;

/// What a body holds, by field name. Of several with one name the last counts.
#[derive(Debug, Default)]
pub(crate) struct Fields(HashMap<String, Field>);

impl Fields {
    /// The field, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&Field> {
        self.0.get(name)
    }

    /// The field as text that has to be there (see [`Field::text`]).
    pub(crate) fn required(&self, name: &str) -> Result<String, FieldError> {
        self.get(name).ok_or(FieldError::Required)?.text()
    }

    /// Adds a value of a form.
    pub(crate) fn insert(&mut self, name: String, value: String) {
        self.0.insert(name, Field::Form(value));
    }
}

/// 400 that says of each of these fields what is wrong with it.
pub(crate) fn invalid<const N: usize>(errors: [(&str, Option<FieldError>); N]) -> Refusal {
    let errors: Map<String, Value> = errors
        .into_iter()
        .filter_map(|(name, error)| error.map(|error| (name.to_owned(), json!([error.to_string()]))))
        .collect();
    Refusal::new(StatusCode::BAD_REQUEST, Value::Object(errors))
}

/// The fields of a request. Files in it are passed over.
pub(crate) async fn read(request: Request) -> Result<Fields, Refusal> {
    Ok(read_any(request, None).await?.0)
}

/// The fields of a request, and the file wanted, which only a multipart body can hold.
pub(crate) async fn read_with_file(request: Request, wanted: Wanted<'_>) -> Result<(Fields, Option<Upload>), Refusal> {
    read_any(request, Some(wanted)).await
}

async fn read_any(request: Request, wanted: Option<Wanted<'_>>) -> Result<(Fields, Option<Upload>), Refusal> {
    let fields = match format_of(&request)? {
        None => Fields::default(),
        Some(Format::Json) => parse_json(&pieces::all(request.into_body(), MAX_BODY_BYTES).await?)?,
        Some(Format::Form) => parse_form(&pieces::all(request.into_body(), MAX_BODY_BYTES).await?),
        Some(Format::Multipart) => return multipart::read(request, wanted).await,
    };
    Ok((fields, None))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Form,
    Multipart,
}

/// How the body is written; `None` if there is no body.
fn format_of(request: &Request) -> Result<Option<Format>, Refusal> {
    if request.body().is_end_stream() {
        return Ok(None);
    }
    let content_type = request.headers().get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let content_type = String::from_utf8_lossy(content_type);
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Ok(Some(Format::Json)),
        "application/x-www-form-urlencoded" => Ok(Some(Format::Form)),
        "multipart/form-data" => Ok(Some(Format::Multipart)),
        _ => Err(Refusal::detail(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("Unsupported media type \"{content_type}\" in request."),
        )),
    }
}

fn parse_json(bytes: &[u8]) -> Result<Fields, Refusal> {
    let broken =
        |error: serde_json::Error| Refusal::detail(StatusCode::BAD_REQUEST, format!("JSON parse error - {error}"));
    let value: &RawValue = serde_json::from_slice(bytes).map_err(broken)?;
    let type_name = match value.get().as_bytes().first() {
        Some(b'{') => {
            let members: HashMap<String, Box<RawValue>> = serde_json::from_str(value.get()).map_err(broken)?;
            return Ok(Fields(members.into_iter().map(|(name, raw)| (name, Field::Json(raw))).collect()));
        }
        Some(b'n') => return Err(no_object("No data provided")),
        Some(b'[') => "list",
        Some(b'"') => "str",
        Some(b't' | b'f') => "bool",
        _ if value.get().contains(['.', 'e', 'E']) => "float",
        _ => "int",
    };
    Err(no_object(&format!("Invalid data. Expected a dictionary, but got {type_name}.")))
}

fn no_object(text: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, json!({ "non_field_errors": [text] }))
}

fn parse_form(bytes: &[u8]) -> Fields {
    Fields(
        form_urlencoded::parse(bytes)
            .map(|(name, value)| (name.into_owned(), Field::Form(value.into_owned())))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(content_type: &str, body: impl Into<Body>) -> Request {
        Request::post("/").header(CONTENT_TYPE, content_type).body(body.into()).expect("a request")
    }

    async fn text_of(content_type: &str, body: &str) -> Result<String, FieldError> {
        read(request(content_type, body.to_owned())).await.expect("fields").required("a")
    }

    #[tokio::test]
    async fn json_and_forms_hold_fields() {
        assert_eq!(text_of("application/json", r#"{"a": 1, "a": "x"}"#).await, Ok("x".to_owned()));
        assert_eq!(text_of("Application/JSON; charset=utf-8", r#" {"a": "x"} "#).await, Ok("x".to_owned()));
        assert_eq!(text_of("application/x-www-form-urlencoded", "a=1&a=x+%C3%A9").await, Ok("x é".to_owned()));
        assert_eq!(text_of("application/json", r#"{"b": 1}"#).await, Err(FieldError::Required));
        let deep = format!(r#"{{"b": {}{}, "a": "x"}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(text_of("application/json", &deep).await, Ok("x".to_owned()));
    }

    #[tokio::test]
    async fn no_body_has_no_fields_whatever_its_type() {
        for content_type in ["", "application/json", "text/plain", "multipart/form-data"] {
            assert!(read(request(content_type, "")).await.expect("fields").get("a").is_none(), "{content_type}");
        }
    }

    #[tokio::test]
    async fn what_is_no_json_is_refused_as_such() {
        let broken = ["{", " ", "{'a': 1}", r#"{"a": }"#, r#"{"a": NaN}"#, "{\"a\": \"\u{1}\"}", r#"{"a": 1} x"#];
        let broken = broken.map(|text| text.as_bytes().to_vec());
        for bytes in broken.into_iter().chain([b"{\"a\": \"\xff\"}".to_vec()]) {
            let refusal = read(request("application/json", bytes.clone())).await.expect_err("broken");
            assert_eq!(refusal.status(), StatusCode::BAD_REQUEST);
            let detail = refusal.body()["detail"].as_str().unwrap_or_default();
            assert!(detail.starts_with("JSON parse error - "), "{bytes:?}: {detail}");
        }
    }

    #[tokio::test]
    async fn json_that_is_no_object_is_refused() {
        for (raw, got) in [("[1, 2]", "list"), (r#""x""#, "str"), ("true", "bool"), ("1", "int"), ("1.0", "float")] {
            let refusal = read(request("application/json", raw)).await.expect_err("no object");
            let text = format!("Invalid data. Expected a dictionary, but got {got}.");
            assert_eq!(*refusal.body(), json!({ "non_field_errors": [text] }));
        }
        let refusal = read(request("application/json", "null")).await.expect_err("no object");
        assert_eq!(*refusal.body(), json!({ "non_field_errors": ["No data provided"] }));
    }

    #[tokio::test]
    async fn other_media_types_are_named_and_refused() {
        let refusal = read(request("text/plain; x=y", "a=1")).await.expect_err("unsupported");
        assert_eq!(refusal.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(*refusal.body(), json!({ "detail": "Unsupported media type \"text/plain; x=y\" in request." }));
    }

    #[test]
    fn errors_are_listed_by_field() {
        let refusal = invalid([("username", Some(FieldError::Required)), ("password", None)]);
        assert_eq!(*refusal.body(), json!({ "username": ["This field is required."] }));
    }
}

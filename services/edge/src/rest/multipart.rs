//! The parts of a multipart body: fields, and the one file that a view wants.

use axum::body::{Body, Bytes};
use axum::extract::multipart::{Field as Part, Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request};
use axum::http::StatusCode;

use super::answer::Refusal;
use super::body::{Fields, MAX_BODY_BYTES};
use super::media::Media;
use super::pieces::{BodyError, pieces, too_large};
use super::upload::{self, Upload};

/// The most parts a body may have: Django's `DATA_UPLOAD_MAX_NUMBER_FIELDS`.
const MAX_PARTS: usize = 1000;

/// The file that a view wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Its field.
    pub name: &'a str,
    /// Where it goes. `None`: there is no place for files, and one that comes is refused.
    pub media: Option<&'a Media>,
}

/// The fields of a multipart request, and the file wanted, if there is one. Other files are passed over.
pub(crate) async fn read(request: Request, wanted: Option<Wanted<'_>>) -> Result<(Fields, Option<Upload>), Refusal> {
    let file_bytes = wanted.and_then(|wanted| wanted.media).map_or(0, Media::max_bytes);
    let mut request = request.map(|body| Body::from_stream(pieces(body, file_bytes.saturating_add(MAX_BODY_BYTES))));
    DefaultBodyLimit::disable().apply(&mut request);
    let mut parts = Multipart::from_request(request, &()).await.map_err(|error| malformed(&error.body_text()))?;
    let (mut fields, mut upload) = (Fields::default(), None);
    let mut room = MAX_BODY_BYTES;
    for _ in 0..MAX_PARTS {
        let Some(mut part) = parts.next_field().await.map_err(|error| refusal(&error))? else {
            return Ok((fields, upload));
        };
        let name = part.name().unwrap_or_default().to_owned();
        match (upload::file_name(&part), wanted) {
            (Some(file_name), Some(wanted)) if name == wanted.name => {
                // Django takes a file without a usable name for none.
                let Some(file_name) = file_name else { continue };
                let media = wanted.media.ok_or_else(upload::disabled)?;
                upload = Some(upload::receive(media, file_name, &mut part).await?);
            }
            (Some(_), _) => while next_piece(&mut part, &mut room).await?.is_some() {},
            (None, _) => {
                let mut value = Vec::new();
                while let Some(piece) = next_piece(&mut part, &mut room).await? {
                    value.extend_from_slice(&piece);
                }
                fields.insert(name, String::from_utf8_lossy(&value).into_owned());
            }
        }
    }
    Err(malformed("too many parts"))
}

/// What a client is told whose multipart body cannot be read on.
pub(crate) fn refusal(error: &MultipartError) -> Refusal {
    BodyError::behind(error).map_or_else(|| malformed(&error.body_text()), BodyError::refusal)
}

async fn next_piece(part: &mut Part<'_>, room: &mut u64) -> Result<Option<Bytes>, Refusal> {
    let piece = part.chunk().await.map_err(|error| refusal(&error))?;
    let size = piece.as_ref().map_or(0, |piece| piece.len() as u64);
    *room = room.checked_sub(size).ok_or_else(|| too_large(MAX_BODY_BYTES))?;
    Ok(piece)
}

fn malformed(text: &str) -> Refusal {
    Refusal::detail(StatusCode::BAD_REQUEST, format!("Multipart form parse error - {text}"))
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;

    use super::*;
    use crate::rest::field::Field;

    const NOTE: &str = "--b\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\n hi \r\n\
        --b\r\nContent-Disposition: form-data; name=\"attachment\"; filename=\"note.txt\"\r\n\
        Content-Type: text/plain\r\n\r\nhello\r\n--b--\r\n";

    fn request(body: impl Into<Body>) -> Request {
        let request = Request::post("/").header(CONTENT_TYPE, "multipart/form-data; boundary=b");
        request.body(body.into()).expect("a request")
    }

    fn media(max_bytes: u64) -> (tempfile::TempDir, Media) {
        let root = tempfile::tempdir().expect("a folder");
        let media = Media::open(root.path(), max_bytes).expect("writable");
        (root, media)
    }

    fn wanted(media: Option<&Media>) -> Option<Wanted<'_>> {
        Some(Wanted { name: "attachment", media })
    }

    #[tokio::test]
    async fn the_file_wanted_is_taken_in_and_kept() {
        let (root, media) = media(5);
        let (fields, upload) = read(request(NOTE), wanted(Some(&media))).await.expect("fields");
        assert_eq!(fields.get("content").map(Field::string), Some(Ok(" hi ".to_owned())));
        let path = upload.expect("a file").keep(&media).await.expect("kept");
        assert_eq!(path, "chat_attachments/note.txt");
        assert_eq!(std::fs::read_to_string(root.path().join(path)).expect("a file"), "hello");
    }

    #[tokio::test]
    async fn a_file_over_the_limit_is_refused() {
        let (_root, media) = media(4);
        let refusal = read(request(NOTE), wanted(Some(&media))).await.expect_err("too large");
        assert_eq!(refusal.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn without_a_place_for_files_they_are_refused_where_they_are_wanted() {
        let refusal = read(request(NOTE), wanted(None)).await.expect_err("no place");
        assert_eq!(refusal.status(), StatusCode::BAD_REQUEST);
        let (fields, upload) = read(request(NOTE), None).await.expect("fields");
        assert!(fields.get("content").is_some() && fields.get("attachment").is_none() && upload.is_none());
    }

    #[tokio::test]
    async fn what_is_not_multipart_is_malformed() {
        let cut = &NOTE[..NOTE.len() - 20];
        for body in ["", "x", cut] {
            let refusal = read(request(body.to_owned()), None).await.expect_err("malformed");
            assert_eq!(refusal.status(), StatusCode::BAD_REQUEST, "{body}");
        }
    }

    #[tokio::test]
    async fn neither_text_nor_headers_nor_parts_grow_without_bound() {
        let field = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n";
        let long = "y".repeat(MAX_BODY_BYTES as usize);
        let (_root, media) = media(1 << 30);
        for body in [format!("{field}{long}z\r\n--b--\r\n"), format!("--b\r\nX: {long}")] {
            let refusal = read(request(body), None).await.expect_err("too large");
            assert_eq!(refusal.status(), StatusCode::PAYLOAD_TOO_LARGE);
        }
        let refusal = read(request(format!("{field}{long}z\r\n--b--\r\n")), wanted(Some(&media))).await;
        assert_eq!(refusal.expect_err("too large").status(), StatusCode::PAYLOAD_TOO_LARGE);
        let many = format!("{field}\r\n").repeat(MAX_PARTS + 1) + "--b--\r\n";
        let refusal = read(request(many), None).await.expect_err("too many");
        assert_eq!(refusal.status(), StatusCode::BAD_REQUEST);
    }
}

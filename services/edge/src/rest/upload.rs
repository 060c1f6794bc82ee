//! A file in a multipart body, on its way from the client to the media folder.

use axum::extract::multipart::Field;
use axum::http::StatusCode;
use axum::http::header::CONTENT_DISPOSITION;
use percent_encoding::percent_decode_str;
use tokio::io::AsyncWriteExt as _;

use super::answer::Refusal;
use super::file_name::FileName;
use super::media::{Incoming, Media};
use super::multipart;
use super::pieces::too_large;

/// A file that has come in whole and waits to be kept. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Upload {
    incoming: Incoming,
    name: FileName,
}

impl Upload {
    /// Makes the file last. Answers with its path below the media root.
    pub(crate) async fn keep(self, media: &Media) -> Result<String, Refusal> {
        media.keep(self.incoming, self.name).await.map_err(|error| unwritable(&error))
    }
}

/// Whether a part of a multipart body is a file, and which one: `Some(None)` if its name is unusable.
pub(crate) fn file_name(part: &Field<'_>) -> Option<Option<FileName>> {
    let extended = || {
        let disposition = part.headers().get(CONTENT_DISPOSITION)?;
        extended_file_name(std::str::from_utf8(disposition.as_bytes()).ok()?)
    };
    let name = part.file_name().map(str::to_owned).or_else(extended)?;
    Some(FileName::clean(&name))
}

/// Takes in the file that the part holds, piece by piece.
pub(crate) async fn receive(media: &Media, name: FileName, part: &mut Field<'_>) -> Result<Upload, Refusal> {
    let mut incoming = media.begin().await.map_err(|error| unwritable(&error))?;
    let mut size = 0;
    while let Some(piece) = part.chunk().await.map_err(|error| multipart::refusal(&error))? {
        size += piece.len() as u64;
        if size > media.max_bytes() {
            return Err(too_large(media.max_bytes()));
        }
        incoming.file.write_all(&piece).await.map_err(|error| unwritable(&error))?;
    }
    incoming.file.flush().await.map_err(|error| unwritable(&error))?;
    Ok(Upload { incoming, name })
}

/// 400: this edge has nowhere to put files.
pub(crate) fn disabled() -> Refusal {
    Refusal::error(StatusCode::BAD_REQUEST, "This server takes no attachments")
}

fn unwritable(error: &std::io::Error) -> Refusal {
    tracing::error!(error = error as &dyn std::error::Error, "an attachment cannot be stored");
    Refusal::unavailable()
}

/// `filename*=utf-8''...` of RFC 5987, which some clients send for names beyond ASCII.
fn extended_file_name(disposition: &str) -> Option<String> {
    let value = disposition.split(';').find_map(|parameter| parameter.trim().strip_prefix("filename*="))?;
    let mut parts = value.splitn(3, '\'');
    let (charset, encoded) = (parts.next()?, parts.nth(1)?);
    charset.eq_ignore_ascii_case("utf-8").then(|| percent_decode_str(encoded).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_ascii_may_come_percent_encoded() {
        let name = extended_file_name("form-data; name=\"attachment\"; filename*=utf-8''%C3%9Cn%C3%AF%20(1).txt");
        assert_eq!(name.as_deref(), Some("Ünï (1).txt"));
        assert_eq!(extended_file_name("form-data; name=\"content\""), None);
        assert_eq!(extended_file_name("form-data; filename*=latin-1''x"), None);
    }
}

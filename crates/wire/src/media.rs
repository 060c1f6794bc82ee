//! Where attachments are found.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What Django's `filepath_to_uri` escapes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~')
    .remove(b'/')
    .remove(b'!')
    .remove(b'*')
    .remove(b'(')
    .remove(b')')
    .remove(b'\'');

/// The URL, without host, of a file below the media root.
pub fn url(path: &str) -> String {
    format!("/media/{}", utf8_percent_encode(path, ESCAPED))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_url_cannot_hold_is_escaped() {
        assert_eq!(super::url("chat_attachments/a.pdf"), "/media/chat_attachments/a.pdf");
        assert_eq!(super::url("a b/é?#%.txt"), "/media/a%20b/%C3%A9%3F%23%25.txt");
    }
}

//! The name an uploaded file is stored under: Django's rules, from the browser's name to a free one in the folder.

use natter_model::text::strip;
use rand::RngExt as _;

/// The longest stored path, folder included, in characters: Django's column holds no more.
const MAX_PATH_CHARS: usize = 100;

/// The longest file name that every usual file system takes, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// A file name that is safe on disk and in a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    stem: String,
    /// With its dot; may be empty.
    extension: String,
}

impl FileName {
    /// The client's name for a file without folders, blanks and unusual characters. `None`: nothing is left of it.
    pub(crate) fn clean(name: &str) -> Option<Self> {
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let name: String = strip(name)
            .chars()
            .map(|c| if c == ' ' { '_' } else { c })
            .filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
            .collect();
        // A name that begins with a dot would be hidden.
        let name = name.trim_start_matches('.');
        if name.is_empty() {
            return None;
        }
        let (stem, extension) = match name.rfind('.') {
            Some(dot) if dot > 0 => name.split_at(dot),
            _ => (name, ""),
        };
        Some(Self { stem: stem.to_owned(), extension: extension.to_owned() })
    }

    /// The name, shortened if it would not fit into `folder`.
    pub(crate) fn first(&self, folder: &str) -> String {
        self.fitted(folder, "")
    }

    /// Another name to try when the last one is taken: with seven random characters before the extension.
    pub(crate) fn next(&self, folder: &str) -> String {
        let mut random = rand::rng();
        let suffix: String = (0..7).map(|_| char::from(random.sample(rand::distr::Alphanumeric))).collect();
        self.fitted(folder, &format!("_{suffix}"))
    }

    fn fitted(&self, folder: &str, suffix: &str) -> String {
        let room_chars = MAX_PATH_CHARS - folder.chars().count() - 1 - suffix.len();
        let room_bytes = MAX_NAME_BYTES - suffix.len();
        // An extension that leaves no room for a stem is no extension.
        let extension = cut(&self.extension, room_chars - 1, room_bytes - 4);
        let stem = cut(&self.stem, room_chars - extension.chars().count(), room_bytes - extension.len());
        format!("{stem}{suffix}{extension}")
    }
}

/// As much of the text as fits.
fn cut(text: &str, max_chars: usize, max_bytes: usize) -> &str {
    let end =
        text.char_indices().map(|(start, c)| start + c.len_utf8()).take(max_chars).take_while(|end| *end <= max_bytes);
    &text[..end.last().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn stored(name: &str) -> Option<String> {
        FileName::clean(name).map(|name| name.first("chat_attachments"))
    }

    #[test]
    fn names_are_cleaned_like_django_does() {
        assert_eq!(stored("note.txt").as_deref(), Some("note.txt"));
        assert_eq!(stored("Ünï cödé (1).txt").as_deref(), Some("Ünï_cödé_1.txt"));
        assert_eq!(stored("  a b.tar.gz ").as_deref(), Some("a_b.tar.gz"));
        assert_eq!(stored("x\u{0}y\r\n<z>.png").as_deref(), Some("xyz.png"));
    }

    #[test]
    fn folders_and_hidden_names_are_no_way_out() {
        assert_eq!(stored("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(stored(r"C:\temp\x.doc").as_deref(), Some("x.doc"));
        assert_eq!(stored(".htaccess").as_deref(), Some("htaccess"));
        for nothing in ["", ".", "..", "/", "a/..", "***", "..."] {
            assert_eq!(stored(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_taken_name_gets_seven_random_characters_before_the_extension() {
        let name = FileName::clean("plan.pdf").expect("a name");
        let names: HashSet<String> = (0..50).map(|_| name.next("chat_attachments")).collect();
        assert_eq!(names.len(), 50);
        for name in names {
            let random = name.strip_prefix("plan_").and_then(|rest| rest.strip_suffix(".pdf")).expect("plan_*.pdf");
            assert!(random.len() == 7 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
        }
    }

    #[test]
    fn long_names_are_cut_to_what_column_and_file_system_hold() {
        for long in ["a".repeat(300) + ".txt", "\u{20000}".repeat(90) + ".txt", "a.".to_owned() + &"b".repeat(300)] {
            let name = FileName::clean(&long).expect("a name");
            for fitted in [name.first("chat_attachments"), name.next("chat_attachments")] {
                assert!(fitted.chars().count() + "chat_attachments/".len() <= MAX_PATH_CHARS, "{fitted}");
                assert!(fitted.len() <= MAX_NAME_BYTES, "{fitted}");
            }
        }
        let name = FileName::clean(&("a".repeat(300) + ".txt")).expect("a name");
        assert!(name.first("chat_attachments").ends_with("aaa.txt"));
    }
}

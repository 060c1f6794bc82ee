//! Python's rules for text, which clients of the Django chat rely on.

/// The longest content of a message, in code points, as typed.
pub const MAX_CONTENT_CHARS: usize = 5000;

/// What Python's `str.strip()` removes: Unicode White_Space and U+001C to U+001F.
pub fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Python's `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_python_space)
}

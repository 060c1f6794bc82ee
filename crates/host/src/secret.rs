//! Settings that must not be seen.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use crate::exit::Misconfigured;

/// A text that no log, panic or help page shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a file holds that a setting names. One line break at its end does not count: editors and `echo` put it there.
pub fn read_file(setting: &str, path: &Path) -> Result<Vec<u8>, Misconfigured> {
    let bytes = fs::read(path);
    let bytes = bytes.map_err(|error| {
        Misconfigured::new(setting, format!("cannot read {}: {error}; name a readable file", path.display()))
    })?;
    Ok(without_line_break(bytes))
}

/// The same bytes but for one line break at their end.
pub fn without_line_break(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_at_the_end_of_the_file_is_no_part_of_the_secret() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (written, secret) in [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("abc\n\n", "abc\n")] {
            fs::write(file.path(), written).unwrap();
            assert_eq!(read_file("SECRET", file.path()).unwrap(), secret.as_bytes());
        }
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret: Secret = "hush".parse().unwrap();
        assert!(!format!("{secret:?}").contains("hush"));
    }
}

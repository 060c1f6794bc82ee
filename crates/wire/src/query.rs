//! What the query of a WebSocket URL says.

use natter_model::id::Position;

/// The first `token` that is not empty, form-decoded.
pub fn token(query: &str) -> Option<String> {
    values(query, "token").find(|token| !token.is_empty())
}

/// The position to resume after. `None`: the client begins at what is new.
pub fn since(query: &str) -> Option<Result<Position, NotAPosition>> {
    let since = values(query, "since").find(|since| !since.is_empty())?;
    Some(since.parse().map(Position::new).map_err(|_| NotAPosition))
}

/// The value of `since` is no number that a position can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no position")]
pub struct NotAPosition;

fn values(query: &str, key: &'static str) -> impl Iterator<Item = String> {
    form_urlencoded::parse(query.as_bytes()).filter(move |(name, _)| name == key).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_position_or_says_that_it_is_none() {
        assert_eq!(since("token=x"), None);
        assert_eq!(since("since="), None);
        assert_eq!(since("token=x&since=0"), Some(Ok(Position::START)));
        assert_eq!(since("since=17"), Some(Ok(Position::new(17))));
        for bad in ["since=-1", "since=x", "since=1.5", "since=99999999999999999999"] {
            assert_eq!(since(bad), Some(Err(NotAPosition)), "{bad}");
        }
    }
}

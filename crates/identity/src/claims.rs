//! What a token says.

use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;
use serde_json::Value;

use crate::jws::Object;

/// The claim that names the account, unless another one is configured.
pub const USER_ID: &str = "user_id";

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// Proves who asks, for about an hour.
    Access,
    /// Buys new access tokens, for about two days.
    Refresh,
    /// Neither of the two, or unsaid.
    Other,
}

impl TokenType {
    /// The value of the claim `token_type`; `None` for [`TokenType::Other`].
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Access => Some("access"),
            Self::Refresh => Some("refresh"),
            Self::Other => None,
        }
    }

    pub(crate) fn of(claim: Option<&Value>) -> Self {
        match claim.and_then(Value::as_str) {
            Some("access") => Self::Access,
            Some("refresh") => Self::Refresh,
            _ => Self::Other,
        }
    }
}

/// The claims of a token that has been verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// What the token is for.
    pub token_type: TokenType,
    /// The token's id: 32 hexadecimal digits in tokens that simplejwt or [`crate::minter`] made, any text in others.
    pub jti: String,
    /// The first moment at which the token is no longer good, leeway aside.
    pub expires_at: Timestamp,
    /// When the token was made, if it says so.
    pub issued_at: Option<Timestamp>,
    /// Whose token it is. `None` if the claim is absent or cannot be the id of an account.
    pub account: Option<AccountId>,
    /// The claim that names the account is there, whatever it says.
    pub names_user: bool,
    pub(crate) payload: Object,
}

impl Claims {
    /// Any claim by its name, as the token carries it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.payload.get(name)
    }
}

/// simplejwt writes `user_id` as a string since 5.5, as a number before.
pub(crate) fn account_of(payload: &Object, user_claim: &str) -> Option<AccountId> {
    let id = match payload.get(user_claim)? {
        Value::String(text) => text.parse().ok()?,
        number => number.as_u64()?,
    };
    AccountId::new(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn user_id_is_a_string_or_a_number() {
        let account = |user_id: Value| account_of(&Object::from_iter([(USER_ID.to_owned(), user_id)]), USER_ID);
        assert_eq!(account(json!("7")), AccountId::new(7));
        assert_eq!(account(json!(7)), AccountId::new(7));
        for nobody in [
            json!("abc"),
            json!(""),
            json!(" 7"),
            json!(-1),
            json!(0),
            json!(2.5),
            json!(true),
            json!([7]),
            json!(null),
        ] {
            assert_eq!(account(nobody.clone()), None, "{nobody}");
        }
        assert_eq!(account_of(&Object::new(), USER_ID), None);
    }
}

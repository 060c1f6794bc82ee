//! What a token says, believed without proof: for those who want to take it back.

use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;

use crate::claims;
use crate::jws;

/// The claims by which a token is taken back. Nothing may be opened for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// The token's id.
    pub jti: String,
    /// Whose it says to be, if it is one that names its user by `user_id`.
    pub account: Option<AccountId>,
    /// When it ends by itself, if it says so.
    pub expires_at: Option<Timestamp>,
}

/// What the token says. `None`: it is no token, or has no id.
pub fn read(token: &str) -> Option<Unproven> {
    let payload = jws::payload(token)?;
    let expires_at = payload.get("exp").and_then(serde_json::Value::as_i64);
    Some(Unproven {
        jti: payload.get("jti")?.as_str()?.to_owned(),
        account: claims::account_of(&payload, claims::USER_ID),
        expires_at: expires_at.map(|seconds| Timestamp::from_micros(seconds.saturating_mul(1_000_000))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;
    use crate::minter::{Lifetimes, Minter, Subject};

    #[test]
    fn a_token_is_read_whoever_signed_it() {
        let key = SigningKey::hmac(&[9; 32]).expect("long enough");
        let account = AccountId::new(2).expect("in range");
        let subject = Subject { account, username: String::new(), email: String::new(), profile_types: Vec::new() };
        let minted = Minter::new(&key, Lifetimes::default()).access(&subject, Timestamp::from_micros(1_500_000));
        let said = Unproven { jti: minted.jti, account: Some(account), expires_at: Some(minted.expires_at) };
        assert_eq!(read(&minted.token), Some(said));
        for nonsense in ["", "a.b.c", "e30.e30.", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}

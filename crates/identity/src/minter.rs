//! Mints tokens that simplejwt accepts.

use std::time::Duration;

use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;
use serde_json::json;

use crate::claims::{Claims, TokenType};
use crate::jws::{self, Object};
use crate::key::SigningKey;
use crate::verifier::VerifierSettings;

/// The claims of a refresh token that an access token does not take over.
const NOT_INHERITED: [&str; 4] = ["token_type", "exp", "iat", "jti"];

/// How long tokens are good. Whole seconds; fractions are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Default one hour: as long as a token that was stolen can be used.
    pub access: Duration,
    /// Default two days: as long as a client stays logged in without asking for a new one.
    pub refresh: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { access: Duration::from_secs(3600), refresh: Duration::from_secs(172_800) }
    }
}

/// What a token tells of whom it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Username, e-mail address and types of profiles, as in the Django chat that the seed describes.
    Account,
    /// The account's id and its profile's, as in the later commits of that chat. An account has one profile here, under
    /// the same id.
    Profile,
}

/// Whom a token is for, and what it tells about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The account; `user_id` and `account_id` in the token.
    pub account: AccountId,
    /// Its username.
    pub username: String,
    /// Its e-mail address, or nothing.
    pub email: String,
    /// The types of its profiles.
    pub profile_types: Vec<String>,
}

/// A token as it goes to its bearer. `Debug` does not show the token.
#[derive(Clone)]
pub struct Minted {
    /// The token.
    pub token: String,
    /// Its id, 32 hexadecimal digits.
    pub jti: String,
    /// The first moment at which it is no longer good.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted").field("jti", &self.jti).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Mints tokens with one key.
#[derive(Debug, Clone)]
pub struct Minter {
    key: SigningKey,
    lifetimes: Lifetimes,
    expected: VerifierSettings,
    content: Content,
}

impl Minter {
    /// Tokens signed by `key`, good for `lifetimes`.
    pub fn new(key: &SigningKey, lifetimes: Lifetimes) -> Self {
        Self::expecting(key, lifetimes, VerifierSettings::default())
    }

    /// The same for verifiers that demand an issuer or an audience, or read another claim than `user_id`.
    pub fn expecting(key: &SigningKey, lifetimes: Lifetimes, expected: VerifierSettings) -> Self {
        Self { key: key.clone(), lifetimes, expected, content: Content::Account }
    }

    /// The same minter, whose tokens tell this.
    pub fn telling(&self, content: Content) -> Self {
        Self { content, ..self.clone() }
    }

    /// As long as the longest of its tokens is good.
    pub fn longest(&self) -> Duration {
        self.lifetimes.access.max(self.lifetimes.refresh)
    }

    /// A new refresh token.
    pub fn refresh(&self, subject: &Subject, now: Timestamp) -> Minted {
        self.mint(TokenType::Refresh, self.claims_of(subject), now)
    }

    /// A new access token.
    pub fn access(&self, subject: &Subject, now: Timestamp) -> Minted {
        self.mint(TokenType::Access, self.claims_of(subject), now)
    }

    /// A new access token that says what this refresh token says, claims unknown here included.
    pub fn access_from(&self, refresh: &Claims, now: Timestamp) -> Minted {
        let mut claims = refresh.payload.clone();
        claims.retain(|name, _| !NOT_INHERITED.contains(&name.as_str()));
        self.mint(TokenType::Access, claims, now)
    }

    fn mint(&self, token_type: TokenType, mut claims: Object, now: Timestamp) -> Minted {
        let lifetime = match token_type {
            TokenType::Refresh => self.lifetimes.refresh,
            TokenType::Access | TokenType::Other => self.lifetimes.access,
        };
        let issued = now.as_seconds();
        let expires = issued.saturating_add_unsigned(lifetime.as_secs());
        let jti = format!("{:032x}", rand::random::<u128>());
        claims.extend([
            ("token_type".to_owned(), json!(token_type.name())),
            ("exp".to_owned(), json!(expires)),
            ("iat".to_owned(), json!(issued)),
            ("jti".to_owned(), json!(jti)),
        ]);
        let VerifierSettings { audience, issuer, .. } = &self.expected;
        claims.extend(audience.as_ref().map(|audience| ("aud".to_owned(), json!(audience))));
        claims.extend(issuer.as_ref().map(|issuer| ("iss".to_owned(), json!(issuer))));
        let expires_at = Timestamp::from_micros(expires.saturating_mul(1_000_000));
        Minted { token: jws::seal(&claims, &self.key), jti, expires_at }
    }

    fn claims_of(&self, subject: &Subject) -> Object {
        let told = match self.content {
            Content::Account => vec![
                ("username", json!(subject.username)),
                ("email", json!(subject.email)),
                ("account_id", json!(subject.account)),
                ("profile_types", json!(subject.profile_types)),
            ],
            Content::Profile => {
                vec![("account_id", json!(subject.account)), ("current_profile", json!(subject.account))]
            }
        };
        // Last, because it counts if it has the name of one of the others.
        let user = (self.expected.user_claim.as_str(), json!(subject.account.to_string()));
        told.into_iter().chain([user]).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::{Expected, TokenError, Verifier};
    use serde_json::Value;

    const NOW: Timestamp = Timestamp::from_micros(1_763_031_819_900_000);

    fn ana() -> Subject {
        Subject {
            account: AccountId::new(2).expect("in range"),
            username: "Jürgen".to_owned(),
            email: String::new(),
            profile_types: vec!["trainer".to_owned(), "trainee".to_owned()],
        }
    }

    fn both() -> (Minter, Verifier) {
        let key = SigningKey::hmac(&[9; 32]).expect("long enough");
        (Minter::new(&key, Lifetimes::default()), Verifier::new(&key, VerifierSettings::default()))
    }

    #[test]
    fn a_minted_token_says_what_simplejwt_expects() {
        let (minter, verifier) = both();
        let minted = minter.access(&ana(), NOW);
        let claims = verifier.verify(&minted.token, Expected::Access, NOW).expect("good");
        assert_eq!(
            Value::Object(claims.payload.clone()),
            json!({
                "token_type": "access", "exp": 1_763_035_419, "iat": 1_763_031_819, "jti": minted.jti,
                "user_id": "2", "username": "Jürgen", "email": "", "account_id": 2,
                "profile_types": ["trainer", "trainee"],
            })
        );
        assert_eq!(claims.account, Some(ana().account));
        assert_eq!(claims.expires_at, minted.expires_at);
        assert_eq!(minted.jti.len(), 32);
        assert!(minted.jti.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        assert_ne!(minted.jti, minter.access(&ana(), NOW).jti);
    }

    #[test]
    fn tokens_are_good_for_their_lifetime_and_their_purpose() {
        let (minter, verifier) = both();
        let later = |seconds: i64| Timestamp::from_micros((NOW.as_seconds() + seconds) * 1_000_000);
        let refresh = minter.refresh(&ana(), NOW).token;
        assert!(verifier.verify(&refresh, Expected::Refresh, later(172_799)).is_ok());
        assert_eq!(verifier.verify(&refresh, Expected::Refresh, later(172_800)), Err(TokenError::Expired));
        assert_eq!(verifier.verify(&refresh, Expected::Access, NOW), Err(TokenError::WrongType));
        let access = minter.access(&ana(), NOW).token;
        assert!(verifier.verify(&access, Expected::Any, later(3599)).is_ok());
        assert_eq!(verifier.verify(&access, Expected::Any, later(3600)), Err(TokenError::Expired));
    }

    #[test]
    fn an_access_token_inherits_what_its_refresh_token_says() {
        let (minter, verifier) = both();
        let mut custom = minter.claims_of(&ana());
        custom.insert("current_profile".to_owned(), json!(5));
        let refresh = minter.mint(TokenType::Refresh, custom, NOW);
        let refresh_claims = verifier.verify(&refresh.token, Expected::Refresh, NOW).expect("good");
        let later = Timestamp::from_micros(NOW.as_micros() + 60_000_000);
        let access = minter.access_from(&refresh_claims, later);
        let claims = verifier.verify(&access.token, Expected::Access, later).expect("good");
        assert_eq!(claims.get("current_profile"), Some(&json!(5)));
        assert_eq!(claims.get("username"), Some(&json!("Jürgen")));
        assert_eq!(claims.get("iat"), Some(&json!(NOW.as_seconds() + 60)));
        assert_eq!(claims.get("exp"), Some(&json!(NOW.as_seconds() + 60 + 3600)));
        assert_ne!(claims.jti, refresh.jti);
    }

    #[test]
    fn a_minted_token_has_what_its_verifiers_demand() {
        let key = SigningKey::hmac(&[9; 32]).expect("long enough").named("2025");
        let demanding = VerifierSettings {
            audience: Some("chat".to_owned()),
            issuer: Some("https://issuer.example".to_owned()),
            user_claim: "sub".to_owned(),
            ..VerifierSettings::default()
        };
        let minted = Minter::expecting(&key, Lifetimes::default(), demanding.clone()).access(&ana(), NOW);
        let claims = Verifier::new(&key, demanding.clone()).verify(&minted.token, Expected::Access, NOW).expect("good");
        assert_eq!((claims.account, claims.get("sub")), (Some(ana().account), Some(&json!("2"))));
        assert_eq!(claims.get("user_id"), None);
        let other = VerifierSettings { audience: Some("shop".to_owned()), ..demanding };
        let refused = Verifier::new(&key, other).verify(&minted.token, Expected::Access, NOW);
        assert_eq!(refused, Err(TokenError::Invalid));
    }

    #[test]
    fn a_token_of_the_later_commits_tells_of_the_profile() {
        let (minter, verifier) = both();
        let minted = minter.telling(Content::Profile).access(&ana(), NOW);
        let claims = verifier.verify(&minted.token, Expected::Access, NOW).expect("good");
        assert_eq!(
            Value::Object(claims.payload),
            json!({
                "token_type": "access", "exp": 1_763_035_419, "iat": 1_763_031_819, "jti": minted.jti,
                "user_id": "2", "account_id": 2, "current_profile": 2,
            })
        );
    }

    #[test]
    fn a_minted_token_does_not_print_itself() {
        let minted = both().0.access(&ana(), NOW);
        assert!(!format!("{minted:?}").contains(&minted.token));
    }
}

//! Verdicts of the real simplejwt on tokens.

use std::collections::{BTreeMap, BTreeSet};

use natter_identity::claims::Claims;
use natter_identity::key::{Algorithm, SigningKey};
use natter_identity::verifier::{Expected, TokenError, Verifier, VerifierSettings};
use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Sometime in 2027; vectors without a clock mean any moment from 2026 to 2098.
const SOMETIME: i64 = 1_800_000_000;

/// Where the library is lenient and this crate is not; the vectors allow both.
const STRICTER: [&str; 8] = [
    "exp-float",
    "iat-float",
    "payload-bom",
    "user-id-float",
    "user-id-fraction",
    "user-id-padded",
    "user-id-true",
    "user-id-unicode-digits",
];

#[derive(Deserialize)]
struct Vectors {
    users: Vec<User>,
    blacklisted_jti: Vec<String>,
    settings: BTreeMap<String, Settings>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct User {
    id: AccountId,
    is_active: bool,
}

#[derive(Deserialize)]
struct Settings {
    algorithm: String,
    signing_key: String,
    verifying_key: Option<String>,
    audience: Option<String>,
    issuer: Option<String>,
    leeway: u32,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    settings: String,
    token: String,
    now: Option<i64>,
    as_access: Verdict,
    as_refresh: Verdict,
    as_untyped: Verdict,
    rest: Rest,
    ws: Option<WebSocket>,
    #[serde(default)]
    may_reject: bool,
}

#[derive(Deserialize)]
struct Verdict {
    ok: bool,
    /// Absent in a refusal by exception.
    error: Option<String>,
    claims: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Rest {
    status: u16,
}

#[derive(Deserialize)]
struct WebSocket {
    close_code: Option<u16>,
}

impl Settings {
    fn verifier(&self) -> Verifier {
        let algorithm: Algorithm = self.algorithm.parse().expect("a supported algorithm");
        let secret = self.signing_key.as_bytes();
        let key = match &self.verifying_key {
            Some(public) => SigningKey::pem(algorithm, secret, public.as_bytes()),
            None => SigningKey::hmac_with(algorithm, secret),
        };
        let settings = VerifierSettings {
            leeway_seconds: self.leeway,
            audience: self.audience.clone(),
            issuer: self.issuer.clone(),
        };
        Verifier::new(&key.expect("a usable key"), settings)
    }
}

impl Vectors {
    fn load() -> Self {
        serde_json::from_str(include_str!("../vectors/jwt.json")).expect("the vectors parse")
    }

    fn judge(&self, case: &Case, expected: Expected) -> Result<Claims, TokenError> {
        let now = Timestamp::from_micros(case.now.unwrap_or(SOMETIME) * 1_000_000);
        let decoded = self.settings[&case.settings].verifier().decode(&case.token, now)?;
        let is_blacklisted = decoded.jti().is_some_and(|jti| self.blacklisted_jti.iter().any(|listed| listed == jti));
        if expected == Expected::Refresh && is_blacklisted {
            return Err(TokenError::Blacklisted);
        }
        decoded.into_claims(expected)
    }

    fn user_of(&self, case: &Case) -> Option<&User> {
        let account = self.judge(case, Expected::Access).ok()?.account?;
        self.users.iter().find(|user| user.id == account)
    }
}

#[test]
fn every_token_gets_the_verdict_of_simplejwt() {
    let vectors = Vectors::load();
    assert_eq!(vectors.cases.len(), 192, "all of them are run, with all settings");
    let mut stricter = BTreeSet::new();
    for case in &vectors.cases {
        let verdicts = [
            (Expected::Access, &case.as_access),
            (Expected::Refresh, &case.as_refresh),
            (Expected::Any, &case.as_untyped),
        ];
        for (expected, verdict) in verdicts {
            let at = format!("{} as {expected:?}", case.id);
            match vectors.judge(case, expected) {
                Ok(claims) => {
                    assert!(verdict.ok, "{at}");
                    for (name, value) in verdict.claims.as_ref().expect("claims") {
                        assert_eq!(claims.get(name), Some(value), "{at}: {name}");
                    }
                }
                Err(_) if verdict.ok && case.may_reject => {
                    stricter.insert(case.id.as_str());
                }
                Err(error) => {
                    assert!(!verdict.ok, "{at}: {error}");
                    if let Some(text) = &verdict.error
                        && !case.may_reject
                    {
                        assert_eq!(error.to_string(), *text, "{at}");
                    }
                }
            }
        }
        // Whom a good token means shows in what REST answers.
        match (vectors.user_of(case), case.rest.status) {
            (Some(user), 200) => assert!(user.is_active, "{}", case.id),
            (Some(user), _) => assert!(!user.is_active, "{}", case.id),
            (None, 200) => {
                assert!(case.may_reject, "{}", case.id);
                stricter.insert(case.id.as_str());
            }
            (None, _) => {}
        }
        if let Some(WebSocket { close_code: Some(code) }) = &case.ws {
            assert_eq!(*code, 4001, "{}", case.id);
            assert!(vectors.user_of(case).is_none(), "{}", case.id);
        }
    }
    assert_eq!(stricter, BTreeSet::from(STRICTER));
}

#[test]
fn user_id_names_the_same_account_as_in_django() {
    let vectors = Vectors::load();
    let account = |id: &str| {
        let case = vectors.cases.iter().find(|case| case.id == id).expect("a case of that name");
        vectors.judge(case, Expected::Access).expect("a good token").account.map(AccountId::get)
    };
    assert_eq!(account("user-id-string"), Some(2));
    assert_eq!(account("user-id-int"), Some(2));
    assert_eq!(account("user-id-leading-zero"), Some(2));
    assert_eq!(account("user-id-other-user-string"), Some(7));
    assert_eq!(account("user-id-other-user-int"), Some(7));
    assert_eq!(account("payload-duplicate-user-id"), Some(7));
    assert_eq!(account("missing-user_id"), None);
    assert_eq!(account("user-id-word"), None);
}

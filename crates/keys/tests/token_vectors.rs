//! Verdicts of the real simplejwt on tokens, with its settings given in each of the ways that ours can be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use clap::Parser as _;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::Jwk;
use natter_identity::claims::Claims;
use natter_identity::verifier::{Expected, TokenError, Verifier};
use natter_keys::Keys;
use natter_keys::config::TokenConfig;
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

#[derive(Debug, clap::Parser)]
struct Program {
    #[command(flatten)]
    tokens: TokenConfig,
}

/// How a program is told a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As the one to sign with: SIGNING_KEY and SIGNING_ALGORITHM.
    SigningKey,
    /// As one to verify with, in VERIFYING_KEYS.
    KeyFile,
    /// In the set that JWKS_FILE names. Its place says which algorithm it is for.
    JwksFile,
}

const WAYS: [Way; 3] = [Way::SigningKey, Way::KeyFile, Way::JwksFile];

impl Settings {
    /// `None`: this key cannot be given in this way.
    fn verifier(&self, way: Way) -> Option<Arc<Verifier>> {
        let public = self.verifying_key.as_deref();
        if way != Way::SigningKey && public.is_none() && self.signing_key.len() < 32 {
            return None;
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().display();
        let mut arguments = vec!["program".to_owned(), format!("--token-leeway-seconds={}", self.leeway)];
        arguments.extend(self.audience.as_ref().map(|audience| format!("--token-audience={audience}")));
        arguments.extend(self.issuer.as_ref().map(|issuer| format!("--token-issuer={issuer}")));
        arguments.extend(match way {
            Way::SigningKey => vec![
                format!("--signing-algorithm={}", self.algorithm),
                format!("--signing-key={}", self.signing_key),
                "--allow-short-key".to_owned(),
            ],
            Way::KeyFile => {
                fs::write(file.path(), public.unwrap_or(&self.signing_key)).expect("the file is there");
                vec![format!("--verifying-keys={}:{path}", self.algorithm)]
            }
            Way::JwksFile => {
                let set = serde_json::json!({ "keys": [self.jwk()] });
                fs::write(file.path(), set.to_string()).expect("the file is there");
                vec![format!("--jwks-file={path}")]
            }
        });
        let config = Program::try_parse_from(arguments).expect("settings").tokens;
        let signing = config.signing_key().expect("a usable key");
        let keys = Keys::open(&config, signing.as_ref()).expect("usable keys");
        Some(keys.tokens().verifier())
    }

    fn jwk(&self) -> Jwk {
        let algorithm = self.algorithm.parse().expect("the library knows it");
        let key = match (&self.verifying_key, &self.algorithm[..2]) {
            (None, _) => Ok(DecodingKey::from_secret(self.signing_key.as_bytes())),
            (Some(public), "ES") => DecodingKey::from_ec_pem(public.as_bytes()),
            (Some(public), "Ed") => DecodingKey::from_ed_pem(public.as_bytes()),
            (Some(public), _) => DecodingKey::from_rsa_pem(public.as_bytes()),
        };
        Jwk::from_decoding_key(&key.expect("a key in PEM form"), Some(algorithm)).expect("a key of the algorithm")
    }
}

struct Judges<'a> {
    vectors: &'a Vectors,
    verifiers: BTreeMap<&'a str, Arc<Verifier>>,
}

impl Vectors {
    fn load() -> Self {
        serde_json::from_str(include_str!("../vectors/jwt.json")).expect("the vectors parse")
    }

    /// Those who judge by the settings given in this way.
    fn told(&self, way: Way) -> Judges<'_> {
        let verifiers = self.settings.iter();
        let verifiers = verifiers.filter_map(|(name, settings)| Some((name.as_str(), settings.verifier(way)?)));
        Judges { vectors: self, verifiers: verifiers.collect() }
    }
}

impl Judges<'_> {
    fn judge(&self, case: &Case, expected: Expected) -> Result<Claims, TokenError> {
        let now = Timestamp::from_micros(case.now.unwrap_or(SOMETIME) * 1_000_000);
        let decoded = self.verifiers[case.settings.as_str()].decode(&case.token, now)?;
        let is_blacklisted =
            decoded.jti().is_some_and(|jti| self.vectors.blacklisted_jti.iter().any(|listed| listed == jti));
        if expected == Expected::Refresh && is_blacklisted {
            return Err(TokenError::Blacklisted);
        }
        decoded.into_claims(expected)
    }

    fn user_of(&self, case: &Case) -> Option<&User> {
        let account = self.judge(case, Expected::Access).ok()?.account?;
        self.vectors.users.iter().find(|user| user.id == account)
    }
}

#[test]
fn every_token_gets_the_verdict_of_simplejwt() {
    let vectors = Vectors::load();
    assert_eq!(vectors.cases.len(), 192, "all of them are run, with all settings");
    for way in WAYS {
        let judges = vectors.told(way);
        assert_eq!(judges.verifiers.len(), if way == Way::SigningKey { 16 } else { 15 }, "but for the short key");
        let judged = vectors.cases.iter().filter(|case| judges.verifiers.contains_key(case.settings.as_str()));
        let stricter: BTreeSet<_> =
            judged.filter(|case| is_stricter(&judges, case, way)).map(|case| case.id.as_str()).collect();
        assert_eq!(stricter, BTreeSet::from(STRICTER), "{way:?}");
    }
}

/// Compares the verdicts on one token. Whether they are stricter than the library's, where they may be.
fn is_stricter(judges: &Judges<'_>, case: &Case, way: Way) -> bool {
    let mut is_stricter = false;
    let verdicts =
        [(Expected::Access, &case.as_access), (Expected::Refresh, &case.as_refresh), (Expected::Any, &case.as_untyped)];
    for (expected, verdict) in verdicts {
        let at = format!("{} as {expected:?} by {way:?}", case.id);
        match judges.judge(case, expected) {
            Ok(claims) => {
                assert!(verdict.ok, "{at}");
                for (name, value) in verdict.claims.as_ref().expect("claims") {
                    assert_eq!(claims.get(name), Some(value), "{at}: {name}");
                }
            }
            Err(_) if verdict.ok && case.may_reject => {
                is_stricter = true;
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
    match (judges.user_of(case), case.rest.status) {
        (Some(user), 200) => assert!(user.is_active, "{}", case.id),
        (Some(user), _) => assert!(!user.is_active, "{}", case.id),
        (None, 200) => {
            assert!(case.may_reject, "{}", case.id);
            is_stricter = true;
        }
        (None, _) => {}
    }
    if let Some(WebSocket { close_code: Some(code) }) = &case.ws {
        assert_eq!(*code, 4001, "{}", case.id);
        assert!(judges.user_of(case).is_none(), "{}", case.id);
    }
    is_stricter
}

#[test]
fn user_id_names_the_same_account_as_in_django() {
    let vectors = Vectors::load();
    let judges = vectors.told(Way::SigningKey);
    let account = |id: &str| {
        let case = vectors.cases.iter().find(|case| case.id == id).expect("a case of that name");
        judges.judge(case, Expected::Access).expect("a good token").account.map(AccountId::get)
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

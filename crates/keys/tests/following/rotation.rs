//! Keys that come, go and cannot be read while a program runs, from a real HTTP server and from files.

use std::fs;
use std::net::SocketAddr;

use crate::config;
use crate::issuer::{Issuer, Key, set};
use axum::http::StatusCode;
use natter_identity::verifier::{Expected, TokenError};
use natter_keys::{Keys, Tokens, Unverified};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

const INVALID: Unverified = Unverified::Refused(TokenError::Invalid);

/// A program that follows its keys, until it is dropped.
struct Following {
    tokens: Tokens,
    _drain: DropGuard,
}

fn follow(arguments: &[String]) -> Following {
    let config = config(arguments);
    let keys = Keys::open(&config, config.signing_key().expect("usable").as_ref()).expect("usable keys");
    let (tokens, drain) = (keys.tokens(), CancellationToken::new());
    tokio::spawn(keys.follow(drain.clone()));
    Following { tokens, _drain: drain.drop_guard() }
}

fn jwks_url(issuer: &Issuer) -> [String; 1] {
    [format!("--jwks-url={}", issuer.url())]
}

impl Following {
    async fn takes(&self, key: &Key) -> Result<(), Unverified> {
        self.tokens.verify(&key.token(), Expected::Access).await.map(drop)
    }
}

#[tokio::test]
async fn a_key_that_takes_the_place_of_another_is_good_at_once_and_the_other_no_more() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let issuer = Issuer::with(set([&old])).await;
    let program = follow(&jwks_url(&issuer));
    assert_eq!(program.takes(&old).await, Ok(()));
    issuer.publish(StatusCode::OK, set([&old, &new]));
    assert_eq!(program.takes(&new).await, Ok(()));
    assert_eq!(program.takes(&old).await, Ok(()), "both are good for a while");
    issuer.publish(StatusCode::OK, set([&new]));
    assert_eq!(program.takes(&Key::new("unknown")).await, Err(INVALID));
    assert_eq!(program.takes(&old).await, Err(INVALID));
    assert_eq!(program.takes(&new).await, Ok(()));
}

#[tokio::test]
async fn unknown_keys_cannot_make_it_ask_more_than_every_few_seconds() {
    let known = Key::new("known");
    let issuer = Issuer::with(set([&known])).await;
    let program = follow(&jwks_url(&issuer));
    assert_eq!(program.takes(&known).await, Ok(()));
    let before = issuer.times_asked();
    let (one, two) = (Key::new("one"), Key::new("two"));
    let waiting: tokio::task::JoinSet<_> = (0..200)
        .map(|number| {
            let (tokens, token) = (program.tokens.clone(), if number % 2 == 0 { one.token() } else { two.token() });
            async move { tokens.verify(&token, Expected::Access).await.map(drop) }
        })
        .collect();
    assert_eq!(waiting.join_all().await, [Err(INVALID); 200]);
    assert_eq!(issuer.times_asked(), before + 1);
    // Keys that are here are not asked for.
    assert_eq!(program.takes(&known).await, Ok(()));
    assert_eq!(issuer.times_asked(), before + 1);
}

#[tokio::test]
async fn while_the_keys_cannot_be_read_those_before_are_good_and_others_may_be() {
    let (known, new) = (Key::new("known"), Key::new("new"));
    let issuer = Issuer::with(set([&known])).await;
    let program = follow(&jwks_url(&issuer));
    assert_eq!(program.takes(&known).await, Ok(()));
    let nonsense = [
        (StatusCode::INTERNAL_SERVER_ERROR, set([&new])),
        (StatusCode::FOUND, set([&new])),
        (StatusCode::OK, "<html>".to_owned()),
        (StatusCode::OK, set([])),
        (StatusCode::OK, format!("{}{}", set([&new]), " ".repeat(1 << 20))),
    ];
    for (status, body) in nonsense {
        issuer.publish(status, body);
        assert_eq!(program.takes(&new).await, Err(Unverified::Away), "{status}");
        assert_eq!(program.takes(&known).await, Ok(()), "{status}");
    }
    issuer.publish(StatusCode::OK, set([&known, &new]));
    assert_eq!(program.takes(&new).await, Ok(()));
}

#[tokio::test]
async fn an_issuer_that_is_away_at_the_start_is_waited_for() {
    let address = free_address().await;
    let key = Key::new("key");
    let program = follow(&[format!("--jwks-url=http://{address}/keys")]);
    assert!(program.tokens.is_complete().is_err());
    assert_eq!(program.takes(&key).await, Err(Unverified::Away), "not refused: nobody knows yet");
    let nonsense = program.tokens.verify("nonsense", Expected::Access).await.map(drop);
    assert_eq!(nonsense, Err(INVALID), "what is no token will never be one");
    let issuer = Issuer::at(address, set([&key])).await;
    issuer.asked(1).await;
    assert_eq!(program.takes(&key).await, Ok(()));
    assert_eq!(program.tokens.is_complete(), Ok(()));
}

#[tokio::test]
async fn keys_in_files_are_read_again_when_they_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let (set_file, pem_file) = (folder.path().join("keys.json"), folder.path().join("key.pem"));
    let [one, two, three, four] = ["one", "two", "three", "four"].map(Key::new);
    fs::write(&set_file, set([&one])).expect("written");
    fs::write(&pem_file, three.public_pem()).expect("written");
    let program = follow(&[
        format!("--jwks-file={}", set_file.display()),
        format!("--verifying-keys=three=ES256:{},four=ES256:{}", pem_file.display(), pem_file.display()),
    ]);
    for key in [&one, &three] {
        assert_eq!(program.takes(key).await, Ok(()));
    }
    fs::write(&set_file, set([&one, &two])).expect("written");
    assert_eq!(program.takes(&two).await, Ok(()));
    fs::write(&set_file, "half a file").expect("written");
    fs::write(&pem_file, four.public_pem()).expect("written");
    assert_eq!(program.takes(&Key::new("unknown")).await, Err(Unverified::Away));
    for (key, expected) in [(&one, Ok(())), (&two, Ok(())), (&three, Err(INVALID)), (&four, Ok(()))] {
        assert_eq!(program.takes(key).await, expected);
    }
}

#[tokio::test]
async fn a_public_key_signs_nothing_where_secrets_are_good_too() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let key = Key::new("key");
    fs::write(file.path(), key.public_pem()).expect("written");
    let path = file.path().display();
    let program = follow(&[
        "--signing-key=a secret of at least thirty-two bytes".to_owned(),
        format!("--verifying-keys=ES256:{path},key=ES256:{path}"),
    ]);
    assert_eq!(program.takes(&key).await, Ok(()));
    let forged = program.tokens.verify(&key.forged_token(), Expected::Access).await.map(drop);
    assert_eq!(forged, Err(INVALID));
}

#[tokio::test]
async fn without_places_to_look_at_nobody_waits() {
    let program = follow(&["--signing-key=a secret of at least thirty-two bytes".to_owned()]);
    assert_eq!(program.takes(&Key::new("unknown")).await, Err(INVALID));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_at_the_start_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().display();
    for (argument, setting) in [
        (format!("--jwks-file={path}"), "JWKS_FILE: "),
        (format!("--verifying-keys=RS256:{path}"), "VERIFYING_KEYS: "),
        ("--jwks-file=/nowhere".to_owned(), "JWKS_FILE: "),
    ] {
        let config = config(&[argument]);
        let error = Keys::open(&config, None).err().expect("refused").to_string();
        assert!(error.starts_with(setting), "{error}");
    }
    assert!(Keys::open(&config(&[]), None).err().expect("refused").to_string().starts_with("SIGNING_KEY: "));
}

async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("it is bound")
}

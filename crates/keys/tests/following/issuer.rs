//! Somebody who signs tokens elsewhere and publishes the keys: over HTTP, HTTPS or in a file.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use natter_identity::key::SigningKey;
use natter_identity::minter::{Lifetimes, Minter, Subject};
use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// A key pair for ES256 that has a name.
pub(crate) struct Key {
    pair: KeyPair,
    kid: &'static str,
}

impl Key {
    pub(crate) fn new(kid: &'static str) -> Self {
        Self { pair: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key pair"), kid }
    }

    /// An access token of account 2 that names this key.
    pub(crate) fn token(&self) -> String {
        mint(&self.signing().named(self.kid))
    }

    /// A token of account 2 that names this key, but is signed with what everybody may see of it, as if it were a secret.
    pub(crate) fn forged_token(&self) -> String {
        mint(&SigningKey::hmac_unchecked(self.public_pem().as_bytes()).named(self.kid))
    }

    /// The half that may be seen, in PEM form.
    pub(crate) fn public_pem(&self) -> String {
        self.pair.public_key_pem()
    }

    fn signing(&self) -> SigningKey {
        let algorithm = "ES256".parse().expect("a known name");
        SigningKey::pem(algorithm, self.pair.serialize_pem().as_bytes()).expect("a key in PEM form")
    }

    fn jwk(&self) -> Value {
        let key = EncodingKey::from_ec_pem(self.pair.serialize_pem().as_bytes()).expect("a key in PEM form");
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public half");
        jwk.common.key_id = Some(self.kid.to_owned());
        serde_json::to_value(jwk).expect("JSON")
    }
}

fn mint(key: &SigningKey) -> String {
    let subject = Subject {
        account: AccountId::new(2).expect("in range"),
        username: "ana".to_owned(),
        email: String::new(),
        profile_types: Vec::new(),
    };
    Minter::new(key, Lifetimes::default()).access(&subject, Timestamp::now()).token
}

/// A JSON Web Key Set of these keys.
pub(crate) fn set<'a>(keys: impl IntoIterator<Item = &'a Key>) -> String {
    json!({ "keys": keys.into_iter().map(Key::jwk).collect::<Vec<_>>() }).to_string()
}

/// What the server answers.
#[derive(Clone)]
pub(crate) struct Published {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

/// A server that publishes keys. Gone when dropped.
pub(crate) struct Issuer {
    pub(crate) address: SocketAddr,
    published: watch::Sender<Published>,
    asked: watch::Receiver<usize>,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct Desk {
    published: watch::Receiver<Published>,
    asked: Arc<watch::Sender<usize>>,
}

impl Issuer {
    /// On this address, which may have port 0.
    pub(crate) async fn at(address: SocketAddr, body: String) -> Self {
        let (published, shown) = watch::channel(Published { status: StatusCode::OK, body });
        let (counter, asked) = watch::channel(0);
        let desk = Desk { published: shown, asked: Arc::new(counter) };
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("it is bound");
        let router = Router::new().route("/keys", get(answer)).with_state(desk);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, published, asked, _serving: AbortOnDropHandle::new(serving) }
    }

    /// On a free port.
    pub(crate) async fn with(body: String) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), body).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// Answers this from now on.
    pub(crate) fn publish(&self, status: StatusCode, body: impl Into<String>) {
        self.published.send_replace(Published { status, body: body.into() });
    }

    /// Waits until it has been asked so many times.
    pub(crate) async fn asked(&self, times: usize) {
        self.asked.clone().wait_for(|asked| *asked >= times).await.expect("it serves");
    }

    pub(crate) fn times_asked(&self) -> usize {
        *self.asked.borrow()
    }
}

async fn answer(State(desk): State<Desk>) -> Response {
    let published = desk.published.borrow().clone();
    desk.asked.send_modify(|asked| *asked += 1);
    (published.status, published.body).into_response()
}

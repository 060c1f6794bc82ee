//! Somebody who signs tokens elsewhere, and publishes the public key.

use std::net::{Ipv4Addr, SocketAddr};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use natter_identity::key::SigningKey;
use natter_identity::minter::{Lifetimes, Minter, Subject};
use natter_model::timestamp::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::fixture::Person;

/// The name of its key.
const KID: &str = "elsewhere";

/// A key pair of the curve P-256, made for these tests.
const PRIVATE_PEM: &str = include_str!("issuer.pem");

/// Signs tokens with a key that Natter does not have. Publishes the public half from [`Issuer::opens`] on.
#[derive(Debug)]
pub struct Issuer {
    port: u16,
    serving: Option<JoinHandle<()>>,
}

impl Issuer {
    /// One that will publish its key at this port.
    pub fn at(port: u16) -> Self {
        Self { port, serving: None }
    }

    /// Where its key will be.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/keys", self.port)
    }

    /// An access token that it has signed.
    pub fn access_token(&self, person: &Person) -> String {
        let algorithm = "ES256".parse().expect("a known name");
        let key = SigningKey::pem(algorithm, PRIVATE_PEM.as_bytes()).expect("a key in PEM form").named(KID);
        let subject = Subject {
            account: natter_model::id::AccountId::new(person.id).expect("an id of an account"),
            username: person.username.clone(),
            email: person.email.clone(),
            profile_types: person.profile_types.clone(),
        };
        Minter::new(&key, Lifetimes::default()).access(&subject, Timestamp::now()).token
    }

    /// Publishes the key from now on.
    pub async fn opens(&mut self) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let body = key_set();
        let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        self.serving = Some(tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                // Whoever asks sends less than this, at once.
                let mut request = [0; 4096];
                if stream.read(&mut request).await.is_ok() {
                    stream.write_all(answer.as_bytes()).await.ok();
                }
            }
        }));
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

fn key_set() -> String {
    let key = EncodingKey::from_ec_pem(PRIVATE_PEM.as_bytes()).expect("a key in PEM form");
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public half");
    jwk.common.key_id = Some(KID.to_owned());
    json!({ "keys": [jwk] }).to_string()
}

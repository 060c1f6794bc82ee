//! A key set over HTTPS, from a server that somebody vouches for, or nobody.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config;
use crate::issuer::{Key, set};
use natter_identity::verifier::Expected;
use natter_keys::{Keys, Unverified};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Answers every request with `body` over TLS.
async fn serve(certified: &CertifiedKey<rcgen::KeyPair>, body: String) -> (SocketAddr, AbortOnDropHandle<()>) {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = config.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a key of the certificate")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let serving = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            // Whoever does not trust the certificate goes away.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = vec![0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, AbortOnDropHandle::new(serving))
}

#[tokio::test]
async fn only_a_server_that_somebody_vouches_for_is_believed() {
    let certified = generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), certified.cert.pem()).expect("written");
    let key = Key::new("key");
    let (address, _serving) = serve(&certified, set([&key])).await;
    let (known, other) =
        (format!("--jwks-url=https://localhost:{}/keys", address.port()), format!("--jwks-url=https://{address}/keys"));
    let vouched = format!("--jwks-ca-file={}", file.path().display());
    for (arguments, verdict) in [
        (vec![known.clone(), vouched.clone()], Ok(())),
        (vec![known], Err(Unverified::Away)),
        (vec![other, vouched], Err(Unverified::Away)),
    ] {
        let config = config(&arguments);
        let keys = Keys::open(&config, None).expect("usable settings");
        let (tokens, drain) = (keys.tokens(), CancellationToken::new());
        let following = tokio::spawn(keys.follow(drain.clone()));
        assert_eq!(tokens.verify(&key.token(), Expected::Access).await.map(drop), verdict, "{arguments:?}");
        drain.cancel();
        following.await.expect("it ends");
    }
}

#[test]
fn a_file_without_certificates_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let ca_file = format!("--jwks-ca-file={}", file.path().display());
    let config = config(&["--jwks-url=https://localhost/".to_owned(), ca_file]);
    let error = Keys::open(&config, None).err().expect("refused").to_string();
    assert!(error.starts_with("JWKS_CA_FILE: "), "{error}");
}

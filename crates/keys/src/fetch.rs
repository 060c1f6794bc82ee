//! Getting a key set over HTTP: one request, one connection, with a deadline and a bound.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use natter_host::exit::Misconfigured;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time;
use tokio_rustls::TlsConnector;
use url::Url;

/// The longest that a whole answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// The largest key set taken. Real ones have some kilobytes.
const MAX_BYTES: usize = 1 << 20;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The address of a key set.
#[derive(Clone, PartialEq, Eq)]
pub struct JwksUrl(Url);

impl FromStr for JwksUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("an https:// or http:// URL is needed".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it may hold no user and password".to_owned());
        }
        Ok(Self(url))
    }
}

impl JwksUrl {
    /// Can nobody on the way replace what is there?
    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_str().fmt(f)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("no whole answer within {} s", PATIENCE.as_secs())]
    TimedOut,
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    #[error("HTTP: {0}")]
    Http(BoxError),
    /// Redirects are not followed: who may sign tokens is not for the one who is asked to say.
    #[error("it answers {0}")]
    Status(StatusCode),
}

/// Gets what is at one address.
pub(crate) struct Fetcher {
    url: JwksUrl,
    tls: TlsConnector,
}

impl Fetcher {
    /// For this address, whose server the public authorities or those in `ca_file` vouch for.
    pub(crate) fn new(url: JwksUrl, ca_file: Option<&Path>) -> Result<Self, Misconfigured> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = ca_file {
            let refused = |error: &dyn fmt::Display| {
                let text = format!("cannot use {}: {error}; name a file with certificates in PEM form", path.display());
                Misconfigured::new("JWKS_CA_FILE", text)
            };
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| refused(&error))?;
            let before = roots.len();
            for certificate in certificates {
                let certificate = certificate.map_err(|error| refused(&error))?;
                roots.add(certificate).map_err(|error| refused(&error))?;
            }
            if roots.len() == before {
                return Err(refused(&"there is no certificate in it"));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("ring knows the default versions").with_root_certificates(roots);
        Ok(Self { url, tls: TlsConnector::from(Arc::new(config.with_no_client_auth())) })
    }

    /// Where it gets it from.
    pub(crate) fn url(&self) -> &JwksUrl {
        &self.url
    }

    /// What is there now.
    pub(crate) async fn get(&self) -> Result<Bytes, FetchError> {
        time::timeout(PATIENCE, self.connect_and_ask()).await.map_err(|_| FetchError::TimedOut)?
    }

    async fn connect_and_ask(&self) -> Result<Bytes, FetchError> {
        let unusable = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
        let host = self.url.0.host_str().ok_or_else(|| unusable("it names no host"))?;
        let port = self.url.0.port_or_known_default().ok_or_else(|| unusable("it names no port"))?;
        // IPv6 addresses stand in brackets in URLs only.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, port)).await?;
        if !self.url.is_encrypted() {
            return self.ask(stream).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| unusable(&error.to_string()))?;
        self.ask(self.tls.connect(name, stream).await?).await
    }

    async fn ask(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Bytes, FetchError> {
        let http = |error: hyper::Error| FetchError::Http(error.into());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
        let url = &self.url.0;
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let request = Request::get(path)
            .header(HOST, authority)
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, "natter")
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| FetchError::Http(error.into()))?;
        let answering = async {
            let response = sender.send_request(request).await.map_err(http)?;
            if response.status() != StatusCode::OK {
                return Err(FetchError::Status(response.status()));
            }
            let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(FetchError::Http)?;
            Ok(body.to_bytes())
        };
        tokio::pin!(answering);
        tokio::pin!(connection);
        tokio::select! {
            answer = &mut answering => answer,
            // The end of the connection may be noticed before the body that came over it is looked at.
            ended = &mut connection => { ended.map_err(http)?; answering.await }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_web_address_is_taken() {
        for good in ["https://login.example/keys", "http://127.0.0.1:8080/a?b=c", "https://[::1]/"] {
            assert!(good.parse::<JwksUrl>().is_ok(), "{good}");
        }
        for bad in ["", "keys.json", "file:///etc/passwd", "https://user:secret@login.example/", "https://"] {
            assert!(bad.parse::<JwksUrl>().is_err(), "{bad}");
        }
    }
}

//! The services that a program asks over gRPC.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use tonic::Status;
use tonic::codegen::http::uri::InvalidUri;
use tonic::transport::Uri;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::calls::{Calls, Resolve, Target};
use crate::exit::Misconfigured;

/// Where there is no port in a URL.
const HTTP_PORT: u16 = 80;

/// Settings of every program that asks others.
#[derive(Debug, Clone, clap::Args)]
pub struct PeerConfig {
    /// Seconds between two looks at which addresses the names in AUTHZ_URL and PERSISTENCE_URL stand for. A new process gets
    /// its share of the calls so long after its address is known, at most; one that ended is left at once.
    #[arg(long, env = "PEER_RESOLVE_SECONDS", default_value = "5")]
    pub peer_resolve_seconds: NonZero<u32>,
}

/// A service: all processes behind one name.
#[derive(Debug, Clone)]
pub struct Peer {
    calls: Calls,
    service: &'static str,
}

impl Peer {
    /// `setting` is the environment variable that the URL came from, `service` what the service is called in gRPC. Needs a
    /// Tokio runtime.
    pub fn new(setting: &str, url: &str, service: &'static str, config: &PeerConfig) -> Result<Self, Misconfigured> {
        let no_url = |why| {
            Misconfigured::new(setting, format!("'{url}' cannot be used: {why}; give a URL such as http://host:50051"))
        };
        let origin: Uri = url.parse().map_err(|error: InvalidUri| no_url(error.to_string()))?;
        let host = origin.host().filter(|host| !host.is_empty() && origin.scheme_str() == Some("http"));
        let host = host.ok_or_else(|| no_url("it does not begin with http:// and a host".to_owned()))?;
        let resolve = system(host, origin.port_u16().unwrap_or(HTTP_PORT));
        let period = Duration::from_secs(config.peer_resolve_seconds.get().into());
        Ok(Self { calls: Calls::balanced(Target { service, origin, period }, resolve), service })
    }

    /// Leads to the service. Each call has a deadline of five seconds.
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// Does the service say that it can do its work?
    pub async fn check(&self) -> Result<(), String> {
        let question = HealthCheckRequest { service: self.service.to_owned() };
        let answer = HealthClient::new(self.calls()).check(question).await.map_err(|status| told(&status))?;
        if answer.into_inner().status == ServingStatus::Serving as i32 {
            Ok(())
        } else {
            Err("it is there, but not ready".to_owned())
        }
    }
}

/// As the system looks names up: its search domains and its hosts file count, as for any other program.
fn system(host: &str, port: u16) -> Resolve {
    // As a part of a URL an IPv6 address has brackets.
    let host: Arc<str> = host.trim_start_matches('[').trim_end_matches(']').into();
    Arc::new(move || {
        let host = Arc::clone(&host);
        Box::pin(async move {
            let found = tokio::net::lookup_host((&*host, port)).await;
            let found = found.map_err(|error| io::Error::new(error.kind(), format!("'{host}': {error}")))?;
            Ok(found.collect())
        })
    })
}

/// What a call failed of, in one line.
pub fn told(status: &Status) -> String {
    // The reason why a connection failed stands at the end of the chain.
    let mut cause: &dyn std::error::Error = status;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    match cause.downcast_ref::<Status>() {
        Some(status) => format!("{:?}: {}", status.code(), status.message()),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_leads_nowhere_is_refused_with_its_setting() {
        let config = PeerConfig { peer_resolve_seconds: NonZero::<u32>::MIN };
        for url in ["", "authz:50051", "https://authz:50051", "http://", "not a url", "nats://authz:50051"] {
            let error = Peer::new("AUTHZ_URL", url, "x", &config).expect_err(url).to_string();
            assert!(error.starts_with("AUTHZ_URL: ") && error.contains("http://host:50051"), "{error}");
        }
        assert!(Peer::new("AUTHZ_URL", "http://127.0.0.1:50051", "x", &config).is_ok());
    }
}

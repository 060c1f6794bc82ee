//! The services that a program asks over gRPC.

use std::time::Duration;

use tonic::Status;
use tonic::transport::Endpoint;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::calls::Calls;
use crate::exit::Misconfigured;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for an answer. A password hash takes up to a second on a busy machine.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two signs of life on an idle connection; one without an answer is given up after the time-out.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A service, connected as soon as it is asked something, and again whenever the line has broken.
#[derive(Debug, Clone)]
pub struct Peer {
    calls: Calls,
    service: &'static str,
}

impl Peer {
    /// `setting` is the environment variable that the URL came from, `service` what the service is called in gRPC.
    pub fn new(setting: &str, url: &str, service: &'static str) -> Result<Self, Misconfigured> {
        let no_url = |why| {
            Misconfigured::new(setting, format!("'{url}' cannot be used: {why}; give a URL such as http://host:50051"))
        };
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| no_url(error.to_string()))?;
        if endpoint.uri().scheme_str() != Some("http") || endpoint.uri().authority().is_none() {
            return Err(no_url("it does not begin with http:// and a host".to_owned()));
        }
        let channel = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE_EVERY)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .connect_lazy();
        Ok(Self { calls: channel.into(), service })
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
        for url in ["", "authz:50051", "https://authz:50051", "http://", "not a url", "nats://authz:50051"] {
            let error = Peer::new("AUTHZ_URL", url, "x").expect_err(url).to_string();
            assert!(error.starts_with("AUTHZ_URL: ") && error.contains("http://host:50051"), "{error}");
        }
        assert!(Peer::new("AUTHZ_URL", "http://authz:50051", "x").is_ok());
    }
}

//! Where ops ports are, as people give them and as machines reach them.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use hyper::Uri;
use tokio::net::lookup_host;
use tokio::time;

/// Longest wait for a name server.
const PATIENCE: Duration = Duration::from_secs(2);

/// Ops ports of one name, which may stand for many machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpsAddress {
    host: String,
    port: u16,
}

impl FromStr for OpsAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mend = "give the address of an ops port, such as http://127.0.0.1:9090";
        let uri: Uri = text.trim().parse().map_err(|error| format!("{error}; {mend}"))?;
        if uri.scheme_str().is_some_and(|scheme| scheme != "http") {
            return Err(format!("ops ports speak http:// and nothing else; {mend}"));
        }
        if uri.path_and_query().is_some_and(|path| !matches!(path.as_str(), "" | "/")) {
            return Err(format!("only a host and a port are needed, without a path; {mend}"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| format!("the host is missing; {mend}"))?;
        let port = uri.port_u16().ok_or_else(|| format!("the port is missing; {mend}"))?;
        Ok(Self { host: host.trim_start_matches('[').trim_end_matches(']').to_owned(), port })
    }
}

impl fmt::Display for OpsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl OpsAddress {
    /// Of a program on this machine.
    pub(crate) fn local(port: u16) -> Self {
        Self { host: "127.0.0.1".to_owned(), port }
    }

    /// Every machine of that name, as a headless Service tells all of its pods. Why there is none, in one line.
    pub(crate) async fn resolve(&self) -> Result<Vec<SocketAddr>, String> {
        let looked_up = time::timeout(PATIENCE, lookup_host((self.host.as_str(), self.port))).await;
        let found = looked_up.map_err(|_| "no name server answers".to_owned())?.map_err(|error| error.to_string())?;
        Ok(one_each(found.collect()))
    }
}

/// A machine with addresses of both families is told twice; the older one is what ops ports listen at.
fn one_each(mut found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if found.iter().any(SocketAddr::is_ipv4) {
        found.retain(SocketAddr::is_ipv4);
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_taken_in_the_ways_people_write_them() {
        for (text, host, port) in [
            ("http://127.0.0.1:9090", "127.0.0.1", 9090),
            ("http://edge-headless.natter.svc:9090/", "edge-headless.natter.svc", 9090),
            ("localhost:9091", "localhost", 9091),
            ("http://[::1]:80", "::1", 80),
        ] {
            assert_eq!(text.parse(), Ok(OpsAddress { host: host.to_owned(), port }), "{text}");
        }
    }

    #[test]
    fn others_are_refused_with_what_to_do() {
        for (text, why) in [
            ("", "such as http"),
            ("http://edge", "port is missing"),
            ("edge", "port is missing"),
            ("https://edge:9090", "speak http://"),
            ("http://edge:9090/metrics", "without a path"),
            ("http://edge:many", "such as http"),
        ] {
            let error = text.parse::<OpsAddress>().expect_err(text);
            assert!(error.contains(why) && error.contains("http://127.0.0.1:9090"), "{text}: {error}");
        }
    }

    #[test]
    fn a_machine_of_two_families_is_one() {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        assert_eq!(one_each(parse(&["[::1]:1", "127.0.0.1:1", "127.0.0.1:1"])), parse(&["127.0.0.1:1"]));
        assert_eq!(one_each(parse(&["10.0.0.2:1", "10.0.0.1:1"])), parse(&["10.0.0.1:1", "10.0.0.2:1"]));
        assert_eq!(one_each(parse(&["[::1]:1"])), parse(&["[::1]:1"]));
    }
}

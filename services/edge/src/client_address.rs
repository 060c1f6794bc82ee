//! Which address a request comes from.

use std::net::IpAddr;

use axum::http::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Who is at the other end of the connection that a request came by. An extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub IpAddr);

/// The client's address, with so many proxies in front of the edge. What the client says of itself is not believed: each
/// proxy adds at the end whom it heard it from.
pub(crate) fn client_address(peer: Peer, headers: &HeaderMap, n_proxies: u8) -> IpAddr {
    let Some(n_before) = usize::from(n_proxies).checked_sub(1) else { return peer.0 };
    let lines = headers.get_all(FORWARDED_FOR).iter().rev().filter_map(|line| line.to_str().ok());
    let told = lines.flat_map(|line| line.rsplit(',')).map(str::trim).nth(n_before);
    told.and_then(|told| told.parse().ok()).unwrap_or(peer.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn address(n_proxies: u8, lines: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        client_address(Peer([10, 0, 0, 1].into()), &headers, n_proxies).to_string()
    }

    #[test]
    fn only_what_the_own_proxies_say_counts() {
        let lines = ["203.0.113.9, 198.51.100.7", "2001:db8::1"];
        assert_eq!(address(0, &lines), "10.0.0.1");
        assert_eq!(address(1, &lines), "2001:db8::1");
        assert_eq!(address(2, &lines), "198.51.100.7");
        assert_eq!(address(9, &lines), "10.0.0.1");
        assert_eq!(address(1, &[]), "10.0.0.1");
        assert_eq!(address(1, &["nonsense"]), "10.0.0.1");
    }
}

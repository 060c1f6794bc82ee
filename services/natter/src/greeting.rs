//! What a person reads when Natter in one process has started.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::demo;

/// Who may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accounts {
    /// The demo accounts, made by this start.
    DemoMade,
    /// The demo accounts, made by an earlier start, and perhaps others.
    DemoThere,
    /// Nobody yet.
    None,
    /// Whoever was given an account before.
    Others,
}

/// What the greeting tells.
pub(crate) struct Greeting<'a> {
    pub(crate) listen: SocketAddr,
    pub(crate) ops: Option<SocketAddr>,
    pub(crate) data: &'a Path,
    /// The file with the key that was made because none was given.
    pub(crate) signing_key: Option<&'a Path>,
    pub(crate) accounts: Accounts,
    /// What this program was started as.
    pub(crate) program: &'a str,
}

impl Greeting<'_> {
    /// Says it on standard output.
    pub(crate) fn say(&self) {
        let mut output = std::io::stdout().lock();
        // Serving goes on when nobody reads.
        let _ = output.write_all(self.text().as_bytes()).and_then(|()| output.flush());
    }

    fn text(&self) -> String {
        let url = format!("http://{}", reachable(self.listen));
        let data = self.data.display();
        let program = self.program;
        let mut lines = vec![format!("Natter listens on {url} (bound to {}).", self.listen)];
        lines.extend(self.ops.map(|ops| format!("Probes: http://{}/readyz", reachable(ops))));
        lines.push(format!("Data: {data}"));
        lines.extend(
            self.signing_key.map(|file| format!("Tokens are signed with the random key in {}", file.display())),
        );
        let names = demo::ACCOUNTS.map(|(username, id, _)| format!("{username} (id {id})")).join(" or ");
        let password = demo::PASSWORD;
        let create = format!("{program} account create USERNAME --email EMAIL --data {data}");
        lines.push(match self.accounts {
            Accounts::DemoMade => {
                format!(
                    "Log in as {names}, password `{password}`: demo accounts, made because this is the first start."
                )
            }
            Accounts::DemoThere => format!("Log in as {names}, password `{password}`: demo accounts. More: {create}"),
            Accounts::None => "Nobody can log in yet: there are no accounts.".to_owned(),
            Accounts::Others => format!("Those with an account can log in. More: {create}"),
        });
        lines.push(match self.accounts {
            Accounts::DemoMade | Accounts::DemoThere => format!("Try: {}", login(&url, demo::ACCOUNTS[0].0, password)),
            Accounts::None => format!("Try: {create}"),
            Accounts::Others => format!("Try: {}", login(&url, "USERNAME", "PASSWORD")),
        });
        lines.join("\n") + "\n"
    }
}

fn login(url: &str, username: &str, password: &str) -> String {
    format!(
        r#"curl -X POST {url}/api/auth/login/ -H "Content-Type: application/json" -d '{{"username":"{username}","password":"{password}"}}'"#
    )
}

/// The address as somebody on this machine may use it.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (std::net::Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_who_and_what_to_try() {
        let greeting = Greeting {
            listen: "0.0.0.0:8000".parse().unwrap(),
            ops: None,
            data: Path::new("/data"),
            signing_key: None,
            accounts: Accounts::DemoMade,
            program: "natter",
        };
        let text = greeting.text();
        for part in [
            "http://127.0.0.1:8000 ",
            "Data: /data\n",
            "john_doe (id 2) or jane_smith (id 3), password `password123`",
            r#"curl -X POST http://127.0.0.1:8000/api/auth/login/ -H "Content-Type: application/json" -d '{"username":"john_doe","password":"password123"}'"#,
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}

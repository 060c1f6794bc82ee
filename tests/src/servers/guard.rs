//! What a NATS server knows its clients by, and they it, as in production: users with rights of their own, certificates.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::process::Launch;

/// Users and certificates that were just made.
#[derive(Debug)]
pub struct Guard {
    secrets: HashMap<String, String>,
    folder: tempfile::TempDir,
}

impl Guard {
    /// With `deploy/make-secrets` and openssl.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = Launch::new("make-secrets", &repository().join("deploy/make-secrets")).argument("env").run();
        let secrets = made.succeeded();
        let secrets = secrets.lines().filter_map(|line| line.split_once('='));
        let secrets = secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        certify(folder.path());
        Self { secrets, folder }
    }

    /// The seed of a user of `k8s/base/nats/accounts.conf`, such as `edge`.
    pub fn seed(&self, user: &str) -> &str {
        let name = format!("NATS_SEED_{}", user.to_uppercase().replace('-', "_"));
        self.secrets.get(&name).unwrap_or_else(|| panic!("there is no user {user}"))
    }

    /// What a program has to be told to be this user.
    pub fn settings(&self, user: &str) -> [(&'static str, String); 2] {
        [("NATS_NKEY", self.seed(user).to_owned()), ("NATS_CA_FILE", self.authority().display().to_string())]
    }

    /// The certificate that vouches for the server's.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// What the server is told: the rights as they are deployed, and TLS.
    pub(crate) fn configuration(&self) -> String {
        let accounts = std::fs::read_to_string(repository().join("k8s/base/nats/accounts.conf"));
        let accounts = accounts.expect("the users' rights are in the repository");
        let keys = self.secrets.iter().filter(|(name, _)| name.starts_with("NATS_USER_"));
        // With what follows, since one name may be the beginning of another.
        let put_in = |text: String, (name, key): (&String, &String)| {
            ["\n", " "].iter().fold(text, |text, end| text.replace(&format!("${name}{end}"), &format!("{key}{end}")))
        };
        let accounts = keys.fold(accounts, put_in);
        let folder = self.folder.path().display();
        format!("{accounts}\ntls {{ cert_file: \"{folder}/tls.crt\", key_file: \"{folder}/tls.key\" }}\n")
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self::new()
    }
}

/// An authority, and a certificate of its for this machine.
fn certify(folder: &Path) {
    let openssl = |arguments: &str| {
        let arguments = arguments.replace("FOLDER", &folder.display().to_string());
        Launch::new("openssl", Path::new("openssl")).arguments(arguments.split(' ')).run().succeeded();
    };
    openssl("req -x509 -newkey ed25519 -nodes -days 1 -subj /CN=authority -keyout FOLDER/ca.key -out FOLDER/ca.crt");
    openssl(
        "req -x509 -newkey ed25519 -nodes -days 1 -subj /CN=nats -keyout FOLDER/tls.key -out FOLDER/tls.crt \
         -CA FOLDER/ca.crt -CAkey FOLDER/ca.key -addext subjectAltName=IP:127.0.0.1 \
         -addext basicConstraints=critical,CA:FALSE",
    );
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a folder of the repository")
}

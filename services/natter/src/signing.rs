//! The key that tokens are signed with: given, or made and kept in the data folder.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use natter_host::exit::Misconfigured;
use natter_identity::key::{Algorithm, SigningKey};
use natter_keys::config::TokenConfig;

/// The given key, else the one in the file, else a new one that is put there.
pub(crate) fn key(config: &TokenConfig, file: &Path) -> Result<SigningKey, Misconfigured> {
    if let Some(given) = config.signing_key()? {
        return Ok(given);
    }
    if config.signing_algorithm != Algorithm::HS256 {
        let text = format!("{} needs a key of its kind; set SIGNING_KEY too", config.signing_algorithm);
        return Err(Misconfigured::new("SIGNING_ALGORITHM", text));
    }
    let trouble = |error: &dyn std::fmt::Display| {
        let text = format!("cannot use {}: {error}; remove that file, or set SIGNING_KEY", file.display());
        Misconfigured::new("SIGNING_KEY", text)
    };
    let kept = kept(file).map_err(|error| trouble(&error))?;
    SigningKey::hmac(kept.trim_ascii().as_bytes()).map(|key| config.named(key)).map_err(|error| trouble(&error))
}

fn kept(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(file),
        other => other,
    }
}

/// 64 random bytes in hexadecimal, so that the file also serves as SIGNING_KEY_FILE. Only this user can read it.
fn make(file: &Path) -> io::Result<String> {
    let random: [u8; 64] = rand::random();
    let key = random.iter().fold(String::new(), |mut key, byte| {
        write!(key, "{byte:02x}").expect("a String takes everything");
        key
    });
    let folder = file.parent().unwrap_or(Path::new("."));
    // Temporary files are for their user alone, and renaming keeps that.
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(new, "{key}")?;
    new.as_file().sync_all()?;
    new.persist_noclobber(file)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use natter_identity::minter::{Lifetimes, Minter, Subject};
    use natter_identity::verifier::{Expected, Verifier, VerifierSettings};
    use natter_model::id::AccountId;
    use natter_model::timestamp::Timestamp;
    use std::os::unix::fs::PermissionsExt as _;

    #[derive(Debug, clap::Parser)]
    struct Program {
        #[command(flatten)]
        tokens: TokenConfig,
    }

    fn told(arguments: &[&str]) -> TokenConfig {
        Program::parse_from([&["program"], arguments].concat()).tokens
    }

    fn fits(signer: &SigningKey, verifier: &SigningKey) -> bool {
        let subject = Subject {
            account: AccountId::new(2).unwrap(),
            username: "ana".to_owned(),
            email: String::new(),
            profile_types: Vec::new(),
        };
        let token = Minter::new(signer, Lifetimes::default()).access(&subject, Timestamp::now()).token;
        let verifier = Verifier::new(verifier, VerifierSettings::default());
        verifier.verify(&token, Expected::Access, Timestamp::now()).is_ok()
    }

    #[test]
    fn a_key_that_was_made_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signing.key");
        let made = key(&told(&[]), &file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fits(&made, &key(&told(&[]), &file).unwrap()));
        let other_program = told(&["--signing-key-file", file.to_str().unwrap()]);
        assert!(fits(&made, &other_program.signing_key().unwrap().unwrap()));
        assert!(!fits(&made, &key(&told(&[]), &folder.path().join("other.key")).unwrap()));
    }

    #[test]
    fn a_short_key_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signing.key");
        let refusal = key(&told(&["--signing-key", "short"]), &file).unwrap_err().to_string();
        assert!(refusal.starts_with("SIGNING_KEY:"), "{refusal}");
        fs::write(&file, "").unwrap();
        let refusal = key(&told(&[]), &file).unwrap_err().to_string();
        assert!(refusal.contains("signing.key"), "{refusal}");
    }
}

//! Passwords as Django 5.2 hashes them: `<algorithm>$<what the algorithm needs>`.
//!
//! All but [`needs_rehash`] is heavy on purpose (0.1 to 1 s of CPU; 100 MB of memory for Django's argon2): call it on a
//! blocking thread.

mod argon2;
mod bcrypt_sha256;
mod pbkdf2;
mod scrypt;

use subtle::ConstantTimeEq;

use self::pbkdf2::Pbkdf2;

/// What came out of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password, and its hash is as good as a new one.
    Right,
    /// It is the password; this hash is better than the stored one.
    Outdated(String),
    /// It is not the password, or there is none.
    Wrong,
}

/// Whether `password` is the one that was hashed; `None`: there is no such account. `false` for unusable, malformed and
/// unknown rows too; never panics. Whoever is refused is refused after the work of a whole [`hash`], so that an answer's
/// delay does not tell which accounts exist. Only rows of another algorithm than Django's default cost what that costs.
pub fn check(password: &str, encoded: Option<&str>) -> Verdict {
    check_by(&mut Pbkdf2::default(), password, encoded)
}

fn check_by(work: &mut Pbkdf2, password: &str, encoded: Option<&str>) -> Verdict {
    let verified = encoded.and_then(|encoded| verify_by(work, password, encoded));
    match (verified, encoded) {
        (Some(true), Some(encoded)) if needs_rehash(encoded) => Verdict::Outdated(hash_by(work, password)),
        (Some(true), _) => Verdict::Right,
        // One of another algorithm has had its share.
        (Some(false), Some(encoded)) if !encoded.starts_with("pbkdf2_") => Verdict::Wrong,
        _ => {
            work.up_to_a_hash(password.as_bytes());
            Verdict::Wrong
        }
    }
}

/// Whether `password` is the one that was hashed. `false` for unusable, malformed and unknown rows too; never panics.
pub fn verify(password: &str, encoded: &str) -> bool {
    verify_by(&mut Pbkdf2::default(), password, encoded).unwrap_or(false)
}

/// `None`: the row can never verify, and took no work.
fn verify_by(work: &mut Pbkdf2, password: &str, encoded: &str) -> Option<bool> {
    let (algorithm, rest) = encoded.split_once('$')?;
    let password = password.as_bytes();
    match algorithm {
        "pbkdf2_sha256" => work.verify_sha256(password, rest),
        "pbkdf2_sha1" => work.verify_sha1(password, rest),
        "argon2" => argon2::verify(password, rest),
        "bcrypt_sha256" => bcrypt_sha256::verify(password, rest),
        "scrypt" => scrypt::verify(password, rest),
        _ => None,
    }
}

/// Whether a row is of a kind that [`verify`] knows, or says that nobody shall log in with it (empty, or `!` and more).
pub fn is_known(encoded: &str) -> bool {
    let algorithm = encoded.split_once('$').map(|(algorithm, _)| algorithm);
    encoded.is_empty()
        || encoded.starts_with('!')
        || matches!(algorithm, Some("pbkdf2_sha256" | "pbkdf2_sha1" | "argon2" | "bcrypt_sha256" | "scrypt"))
}

/// The password, hashed like Django does by default: pbkdf2_sha256, 1 000 000 iterations, a fresh salt of 22 characters.
pub fn hash(password: &str) -> String {
    hash_by(&mut Pbkdf2::default(), password)
}

fn hash_by(work: &mut Pbkdf2, password: &str) -> String {
    work.hash(password.as_bytes())
}

/// Whether a row that was just verified should be replaced by a fresh [`hash`], because it is of another kind or weaker.
pub fn needs_rehash(encoded: &str) -> bool {
    match encoded.split_once('$') {
        Some(("pbkdf2_sha256", rest)) => !pbkdf2::is_current(rest),
        _ => true,
    }
}

/// Compares without telling by its duration where the two differ.
fn is_equal(computed: &[u8], stored: &[u8]) -> bool {
    computed.ct_eq(stored).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_hash_verifies_and_needs_no_rehash() {
        let encoded = hash("pässwörd");
        assert!(encoded.starts_with("pbkdf2_sha256$1000000$"));
        assert!(encoded.len() <= 128);
        assert!(verify("pässwörd", &encoded));
        assert!(!verify("passwörd", &encoded));
        assert!(!needs_rehash(&encoded));
        assert_ne!(encoded, hash("pässwörd"));
    }

    /// Django's `PBKDF2PasswordHasher().encode("secret", "salt", 1)`.
    const WEAK: &str = "pbkdf2_sha256$1$salt$ON9CizCTCOSMNofn+QvaDpzyU1aMIex1Sg4HarSrZCM=";

    #[test]
    fn a_weak_hash_is_replaced_when_the_password_is_right() {
        let Verdict::Outdated(better) = check("secret", Some(WEAK)) else { panic!("it is weak") };
        assert_eq!(check("secret", Some(&better)), Verdict::Right);
    }

    #[test]
    fn whoever_is_refused_has_cost_the_same() {
        let fresh = hash("secret");
        let work = |password: &str, encoded: Option<&str>| {
            let mut work = Pbkdf2::default();
            assert_eq!(check_by(&mut work, password, encoded), Verdict::Wrong, "{encoded:?}");
            work.iterations()
        };
        let nobody = work("wrong", None);
        assert!(nobody >= 1_000_000);
        for encoded in [
            fresh.as_str(),
            WEAK,
            "pbkdf2_sha1$1$salt$x",
            "pbkdf2_sha256$0$salt$x",
            "pbkdf2_sha256$999999999$salt$x",
            "md5$salt$5ab3a21114c70538c5574336e91b9dcd",
            "argon2$nonsense",
            "!unusable",
            "",
        ] {
            assert_eq!(work("wrong", Some(encoded)), nobody, "{encoded}");
        }
    }

    #[test]
    fn kinds_that_nobody_can_log_in_with_are_known() {
        for encoded in ["", "!", "!abc", "argon2$argon2id$v=19$", "scrypt$", "bcrypt_sha256$$2b$", &hash("x")] {
            assert!(is_known(encoded), "{encoded}");
        }
        for encoded in ["md5$salt$5ab3", "bcrypt$$2b$12$", "pbkdf2_sha256", "5ab3a21114c70538c5574336e91b9dcd"] {
            assert!(!is_known(encoded), "{encoded}");
        }
    }

    #[test]
    fn an_unusable_password_matches_nothing() {
        for encoded in ["", "!", "!abc", "$", "$$$", "pbkdf2_sha256$", "md5$salt$5ab3a21114c70538c5574336e91b9dcd"] {
            assert!(!verify("", encoded) && !verify("password123", encoded), "{encoded}");
        }
    }
}

//! Passwords as Django 5.2 hashes them: `<algorithm>$<what the algorithm needs>`.
//!
//! All but [`needs_rehash`] is heavy on purpose (0.1 to 1 s of CPU; 100 MB of memory for Django's argon2): call it on a
//! blocking thread.

mod argon2;
mod bcrypt_sha256;
mod pbkdf2;
mod scrypt;

use std::hint::black_box;

use subtle::ConstantTimeEq;

/// Whether `password` is the one that was hashed. `false` for unusable, malformed and unknown rows too; never panics.
pub fn verify(password: &str, encoded: &str) -> bool {
    let Some((algorithm, rest)) = encoded.split_once('$') else { return false };
    let password = password.as_bytes();
    match algorithm {
        "pbkdf2_sha256" => pbkdf2::verify_sha256(password, rest),
        "pbkdf2_sha1" => pbkdf2::verify_sha1(password, rest),
        "argon2" => argon2::verify(password, rest),
        "bcrypt_sha256" => bcrypt_sha256::verify(password, rest),
        "scrypt" => scrypt::verify(password, rest),
        _ => None,
    }
    .unwrap_or(false)
}

/// The password, hashed like Django does by default: pbkdf2_sha256, 1 000 000 iterations, a fresh salt of 22 characters.
pub fn hash(password: &str) -> String {
    pbkdf2::hash(password.as_bytes())
}

/// Whether a row that was just verified should be replaced by a fresh [`hash`], because it is of another kind or weaker.
pub fn needs_rehash(encoded: &str) -> bool {
    match encoded.split_once('$') {
        Some(("pbkdf2_sha256", rest)) => !pbkdf2::is_current(rest),
        _ => true,
    }
}

/// Takes as long as [`verify`] does for a fresh hash, so that an answer's delay does not tell which accounts exist.
pub fn spend_like_verify(password: &str) {
    black_box(hash(black_box(password)));
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

    #[test]
    fn an_unusable_password_matches_nothing() {
        for encoded in ["", "!", "!abc", "$", "$$$", "pbkdf2_sha256$", "md5$salt$5ab3a21114c70538c5574336e91b9dcd"] {
            assert!(!verify("", encoded) && !verify("password123", encoded), "{encoded}");
        }
    }
}

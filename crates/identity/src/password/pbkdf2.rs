//! `pbkdf2_sha256$<iterations>$<salt>$<base64>`, and the same with SHA-1.

use std::hint::black_box;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pbkdf2::pbkdf2_hmac;
use rand::distr::{Alphanumeric, SampleString};
use sha1::Sha1;
use sha2::Sha256;

use super::is_equal;

/// Django 5.2's default.
const ITERATIONS: u32 = 1_000_000;

/// Twenty times as many. A row that wants more is taken for damaged: trying could take minutes.
const MAX_ITERATIONS: u32 = 20_000_000;

/// Letters and digits of a fresh salt: the fewest that carry 128 bits.
const SALT_CHARS: usize = 22;

const SHA256_BYTES: usize = 32;
const SHA1_BYTES: usize = 20;

/// Hashes by PBKDF2, and counts how much it has done.
#[derive(Debug, Default)]
pub(super) struct Pbkdf2 {
    iterations: u32,
}

impl Pbkdf2 {
    /// Iterations until now.
    #[cfg(test)]
    pub(super) fn iterations(&self) -> u32 {
        self.iterations
    }

    pub(super) fn verify_sha256(&mut self, password: &[u8], rest: &str) -> Option<bool> {
        let (iterations, salt) = parameters(rest)?;
        let digest = self.sha256(password, salt, iterations);
        Some(is_equal(encode(iterations, salt, &digest).as_bytes(), rest.as_bytes()))
    }

    pub(super) fn verify_sha1(&mut self, password: &[u8], rest: &str) -> Option<bool> {
        let (iterations, salt) = parameters(rest)?;
        let mut digest = [0; SHA1_BYTES];
        pbkdf2_hmac::<Sha1>(password, salt.as_bytes(), iterations, &mut digest);
        self.iterations = self.iterations.saturating_add(iterations);
        Some(is_equal(encode(iterations, salt, &digest).as_bytes(), rest.as_bytes()))
    }

    pub(super) fn hash(&mut self, password: &[u8]) -> String {
        let salt = Alphanumeric.sample_string(&mut rand::rng(), SALT_CHARS);
        let digest = self.sha256(password, &salt, ITERATIONS);
        format!("pbkdf2_sha256${}", encode(ITERATIONS, &salt, &digest))
    }

    /// Does what is left of the work of one hash, for nothing.
    pub(super) fn up_to_a_hash(&mut self, password: &[u8]) {
        let left = ITERATIONS.saturating_sub(self.iterations);
        if left > 0 {
            black_box(self.sha256(black_box(password), "salt", left));
        }
    }

    fn sha256(&mut self, password: &[u8], salt: &str, iterations: u32) -> [u8; SHA256_BYTES] {
        let mut digest = [0; SHA256_BYTES];
        pbkdf2_hmac::<Sha256>(password, salt.as_bytes(), iterations, &mut digest);
        self.iterations = self.iterations.saturating_add(iterations);
        digest
    }
}

/// Whether a hash would be made with these iterations and at least this much salt today.
pub(super) fn is_current(rest: &str) -> bool {
    parameters(rest).is_some_and(|(iterations, salt)| iterations == ITERATIONS && salt.chars().count() >= SALT_CHARS)
}

fn parameters(rest: &str) -> Option<(u32, &str)> {
    let mut fields = rest.split('$');
    let (iterations, salt, _digest) = (fields.next()?, fields.next()?, fields.next()?);
    let iterations = iterations.parse().ok().filter(|iterations| (1..=MAX_ITERATIONS).contains(iterations))?;
    (fields.next().is_none() && !salt.is_empty()).then_some((iterations, salt))
}

/// Written anew and compared as a whole, so that a row in any but the canonical form never verifies.
fn encode(iterations: u32, salt: &str, digest: &[u8]) -> String {
    format!("{iterations}${salt}${}", STANDARD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_strength_is_current() {
        assert!(is_current("1000000$saltsaltsaltsaltsalt22$x"));
        assert!(!is_current("999999$saltsaltsaltsaltsalt22$x"));
        assert!(!is_current("2000000$saltsaltsaltsaltsalt22$x"));
        assert!(!is_current("1000000$saltsaltsaltsaltsalt2$x"));
    }
}

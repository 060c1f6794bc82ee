//! `bcrypt_sha256$<bcrypt string>`: bcrypt, which looks at 72 bytes only, over the hexadecimal SHA-256 of the password.

use bcrypt::HashParts;
use sha2::{Digest, Sha256};

use super::is_equal;

/// 32 times as much as Django's. A row that wants more is taken for damaged: trying could take minutes.
const MAX_COST: u32 = 17;

/// Characters of a bcrypt string before the digest: ident, cost and salt.
const PREFIX_CHARS: usize = 29;

pub(super) fn verify(password: &[u8], rest: &str) -> Option<bool> {
    if !["$2a$", "$2b$", "$2y$"].iter().any(|ident| rest.starts_with(ident)) {
        return None;
    }
    let stored: HashParts = rest.parse().ok().filter(|stored: &HashParts| stored.get_cost() <= MAX_COST)?;
    let hex: String = Sha256::digest(password).iter().map(|byte| format!("{byte:02x}")).collect();
    let computed = bcrypt::hash_with_salt(hex, stored.get_cost(), stored.get_salt_raw()).ok()?.to_string();
    Some(is_equal(computed.get(PREFIX_CHARS..)?.as_bytes(), rest.get(PREFIX_CHARS..)?.as_bytes()))
}

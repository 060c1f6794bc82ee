//! `scrypt$<N>$<salt>$<r>$<p>$<base64>`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scrypt::{Params, scrypt};

use super::is_equal;

/// What OpenSSL, and so Django, lets one hash take.
const MAX_MEMORY_BYTES: u64 = 32 * 1024 * 1024;

const DIGEST_BYTES: usize = 64;

pub(super) fn verify(password: &[u8], rest: &str) -> Option<bool> {
    let mut fields = rest.split('$');
    let mut next = || fields.next();
    let (n, salt, r, p, digest) = (next()?, next()?, next()?, next()?, next()?);
    if next().is_some() {
        return None;
    }
    let parameters = parameters(n.parse().ok()?, r.parse().ok()?, p.parse().ok()?)?;
    let mut computed = [0; DIGEST_BYTES];
    scrypt(password, salt.as_bytes(), &parameters, &mut computed).ok()?;
    Some(is_equal(STANDARD.encode(computed).as_bytes(), digest.as_bytes()))
}

fn parameters(n: u32, r: u32, p: u32) -> Option<Params> {
    let blocks = u64::from(n) + 2 + u64::from(p);
    let memory_bytes = blocks.checked_mul(128 * u64::from(r))?;
    if !n.is_power_of_two() || n == 1 || memory_bytes > MAX_MEMORY_BYTES {
        return None;
    }
    // `Params::new` multiplies r and p unchecked; the limit above keeps their product small.
    Params::new(u8::try_from(n.ilog2()).ok()?, r, p).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_beyond_what_django_can_compute_are_refused() {
        assert!(parameters(16384, 8, 5).is_some());
        for (n, r, p) in [(0, 8, 1), (1, 8, 1), (3, 8, 1), (32768, 8, 1), (2, 0, 1), (2, 8, 0), (2, u32::MAX, u32::MAX)]
        {
            assert!(parameters(n, r, p).is_none(), "{n} {r} {p}");
        }
    }
}

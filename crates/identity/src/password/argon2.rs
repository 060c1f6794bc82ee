//! `argon2$<PHC string>`: argon2id, argon2i and argon2d of any version, with any cost up to 1 GiB of memory.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, Version};

use super::is_equal;

/// Ten times what Django asks for. A row that wants more is taken for damaged: trying could end the process.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
/// A hundred times the work Django asks for, in KiB that are passed over.
const MAX_WORK_KIB: u64 = 20 * MAX_MEMORY_KIB as u64;

pub(super) fn verify(password: &[u8], rest: &str) -> Option<bool> {
    let stored = PasswordHash::new(&format!("${rest}")).ok()?;
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).ok()?;
    // Strings from before version 1.3 do not tell a version.
    let version = stored.version.map_or(Ok(Version::V0x10), Version::try_from).ok()?;
    let parameters = Params::try_from(&stored).ok().filter(is_bearable)?;
    let (salt, digest) = (stored.salt?, stored.hash?);
    let mut computed = vec![0; digest.len()];
    Argon2::new(algorithm, version, parameters).hash_password_into(password, &salt, &mut computed).ok()?;
    Some(is_equal(&computed, digest.as_bytes()))
}

fn is_bearable(parameters: &Params) -> bool {
    let work = u64::from(parameters.m_cost()) * u64::from(parameters.t_cost());
    parameters.m_cost() <= MAX_MEMORY_KIB && work <= MAX_WORK_KIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_cannot_ask_for_more_memory_than_there_is() {
        let row = |kib: u32| {
            format!("argon2id$v=19$m={kib},t=1,p=1$c2FsdHNhbHRzYWx0$4X1SYROVBUruY6OCcm4uM3wle+LCISyhxOhmqlmLjzk")
        };
        assert_eq!(verify(b"x", &row(8)), Some(false));
        assert_eq!(verify(b"x", &row(u32::MAX)), None);
    }

    #[test]
    fn a_row_cannot_ask_for_hours_of_work() {
        let row =
            "argon2id$v=19$m=102400,t=4294967295,p=1$c2FsdHNhbHRzYWx0$4X1SYROVBUruY6OCcm4uM3wle+LCISyhxOhmqlmLjzk";
        assert_eq!(verify(b"x", row), None);
    }

    #[test]
    fn a_string_without_a_version_is_of_the_first_one() {
        let row = |version: &str| format!("argon2i{version}$m=8,t=1,p=1$b2xkLXZlcnNpb24tc2FsdA$eXtke/+O1CI8YxYuIj9ihg");
        assert_eq!(verify(b"password123", &row("$v=16")), Some(true));
        assert_eq!(verify(b"password123", &row("")), Some(true));
        assert_eq!(verify(b"password123", &row("$v=19")), Some(false));
    }
}

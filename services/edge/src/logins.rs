//! How often somebody may try to log in.

use std::net::IpAddr;
use std::num::NonZero;
use std::time::Duration;

use crate::bucket::{Buckets, Rate};
use crate::config::limits::LimitsConfig;

/// Counts attempts by name, by address, and by both together.
pub(crate) struct Logins {
    by_both: Buckets,
    by_address: Buckets,
    by_name: Buckets,
}

impl Logins {
    /// Nobody has tried yet.
    pub(crate) fn new(config: &LimitsConfig) -> Self {
        let half = NonZero::new(config.name_logins_per_minute.get() / 2).unwrap_or(NonZero::<u32>::MIN);
        Self {
            by_both: Buckets::new(Rate::per_minute(half)),
            by_address: Buckets::new(Rate::per_minute(config.address_logins_per_minute)),
            by_name: Buckets::new(Rate::per_minute(config.name_logins_per_minute)),
        }
    }

    /// Somebody wants to try. `Err`: not now, but in this time.
    pub(crate) async fn attempt(&self, name: &str, from: IpAddr) -> Result<(), Duration> {
        let network = network(from);
        // The narrowest first: who is refused by it takes nothing from others.
        self.by_both.take((name, network)).await?;
        self.by_address.take(network).await?;
        self.by_name.take(name).await
    }

    /// Somebody knew the password: their failures are forgiven. Those of their address are not, since others of its
    /// names may be at stake.
    pub(crate) async fn succeeded(&self, name: &str, from: IpAddr) {
        self.by_both.fill((name, network(from))).await;
        self.by_name.fill(name).await;
    }
}

/// What one customer of a provider has: an IPv4 address, or an IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    async fn n_attempts(logins: &Logins, name: &str, from: &str) -> usize {
        let mut n_attempts = 0;
        while logins.attempt(name, address(from)).await.is_ok() {
            n_attempts += 1;
        }
        n_attempts
    }

    #[tokio::test(start_paused = true)]
    async fn who_guesses_does_not_lock_the_owner_out() {
        let logins = Logins::new(&LimitsConfig::default());
        assert_eq!(n_attempts(&logins, "ana", "192.0.2.1").await, 10);
        assert_eq!(logins.attempt("ana", address("198.51.100.7")).await, Ok(()));
        logins.succeeded("ana", address("198.51.100.7")).await;
        let wait = logins.attempt("ana", address("192.0.2.1")).await.expect_err("still too many");
        assert!(wait <= Duration::from_secs(6), "{wait:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn names_and_addresses_are_counted() {
        let logins = Logins::new(&LimitsConfig::default());
        let mut n_from_everywhere = 0;
        for last in 0..9 {
            n_from_everywhere += n_attempts(&logins, "ana", &format!("192.0.2.{last}")).await;
        }
        assert_eq!(n_from_everywhere, 20);
        let mut n_for_everybody = 0;
        for name in 0..99 {
            n_for_everybody += n_attempts(&logins, &name.to_string(), &format!("2001:db8:1:2::{name}")).await;
        }
        assert_eq!(n_for_everybody, 60, "one network is one address");
    }
}

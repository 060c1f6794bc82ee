//! How much one client may ask of this edge.

use std::sync::Arc;
use std::time::Duration;

use natter_model::id::AccountId;
use tokio::time;

use crate::bucket::{Bucket, Buckets, Rate};
use crate::config::limits::LimitsConfig;
use crate::logins::Logins;

/// Frames that are refused at once; beyond, a client that goes on is read only as fast as it may send.
const PATIENCE: u32 = 100;

/// The limits, and what everybody has left. Shared by all that count.
pub(crate) struct Limits {
    per_connection: Rate,
    accounts: Buckets,
    logins: Logins,
}

impl Limits {
    /// Nobody has asked for anything yet.
    pub(crate) fn new(config: &LimitsConfig) -> Arc<Self> {
        let per_account = Rate::per_second(config.user_requests_per_second, config.user_requests_burst);
        Arc::new(Self {
            per_connection: Rate::per_second(config.frames_per_second, config.frames_burst),
            accounts: Buckets::new(per_account),
            logins: Logins::new(config),
        })
    }

    /// A request of this account over REST. `Err`: not now, but in this time.
    pub(crate) async fn request(&self, account: AccountId) -> Result<(), Duration> {
        self.accounts.take(account).await
    }

    /// Attempts to log in.
    pub(crate) fn logins(&self) -> &Logins {
        &self.logins
    }

    /// What a new connection of this account may send.
    pub(crate) fn allowance(self: &Arc<Self>, account: AccountId) -> Allowance {
        Allowance { limits: Arc::clone(self), own: Bucket::new(self.per_connection), account, n_refused: 0 }
    }
}

/// What one connection may send.
pub(crate) struct Allowance {
    limits: Arc<Limits>,
    own: Bucket,
    account: AccountId,
    /// Frames refused and not made up for by others that were in order.
    n_refused: u32,
}

impl Allowance {
    /// A frame. `Err`: not now, but in this time. Who goes on regardless is made to wait: a frame that is refused costs
    /// little, but many do.
    pub(crate) async fn frame(&mut self) -> Result<(), Duration> {
        let taken = self.take().await;
        match taken {
            Ok(()) => self.n_refused = self.n_refused.saturating_sub(1),
            Err(wait) if self.n_refused >= PATIENCE => time::sleep(wait).await,
            Err(_) => self.n_refused += 1,
        }
        taken
    }

    async fn take(&self) -> Result<(), Duration> {
        // Its own first: one socket that overdoes it takes nothing from the others of its account.
        self.own.take()?;
        self.limits.accounts.take(self.account).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZero;

    fn config(per_connection: u32, per_account: u32) -> LimitsConfig {
        let some = |number| NonZero::new(number).expect("not zero");
        LimitsConfig {
            frames_burst: some(per_connection),
            user_requests_burst: some(per_account),
            ..LimitsConfig::default()
        }
    }

    async fn n_taken(allowance: &mut Allowance) -> usize {
        let mut n_taken = 0;
        while allowance.frame().await.is_ok() {
            n_taken += 1;
        }
        n_taken
    }

    #[tokio::test(start_paused = true)]
    async fn each_socket_has_its_share_and_each_account_has_one_for_all_its_sockets() {
        let limits = Limits::new(&config(10, 25));
        let (ana, bob) = (AccountId::new(2).expect("an id"), AccountId::new(3).expect("an id"));
        let mut of_ana: Vec<_> = (0..3).map(|_| limits.allowance(ana)).collect();
        assert_eq!(n_taken(&mut of_ana[0]).await, 10);
        assert_eq!(n_taken(&mut of_ana[1]).await, 10);
        assert_eq!(n_taken(&mut of_ana[2]).await, 5, "the account has no more");
        assert!(limits.request(ana).await.is_err());
        assert_eq!(n_taken(&mut limits.allowance(bob)).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_on_regardless_is_made_to_wait() {
        let limits = Limits::new(&config(10, 25));
        let mut allowance = limits.allowance(AccountId::new(2).expect("an id"));
        let begun = time::Instant::now();
        for _ in 0..10 + PATIENCE {
            let _ = allowance.frame().await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let wait = allowance.frame().await.expect_err("one too many");
        assert_eq!(begun.elapsed(), wait);
    }
}

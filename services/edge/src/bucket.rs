//! Token buckets: who asks for something takes a token, and waits for one where there is none left.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use moka::future::Cache;

/// Buckets kept at once, of each kind. Some 200 bytes each; beyond, those that were not used for long begin anew.
const KEPT: u64 = 100_000;

/// How much at once, and how fast after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    quota: Quota,
}

impl Rate {
    /// `burst` at once, then `per_second`.
    pub(crate) fn per_second(per_second: NonZero<u32>, burst: NonZero<u32>) -> Self {
        Self { quota: Quota::per_second(per_second).allow_burst(burst) }
    }

    /// So many at once, and so many each minute after that.
    pub(crate) fn per_minute(per_minute: NonZero<u32>) -> Self {
        Self { quota: Quota::per_minute(per_minute) }
    }

    /// Time after which a bucket is as if it had never been used.
    fn refill(self) -> Duration {
        self.quota.burst_size_replenished_in()
    }
}

/// One bucket, 48 bytes.
#[derive(Debug)]
pub(crate) struct Bucket(RateLimiter<NotKeyed, InMemoryState, TokioClock>);

impl Bucket {
    /// A full one.
    pub(crate) fn new(rate: Rate) -> Self {
        Self(RateLimiter::direct_with_clock(rate.quota, TokioClock))
    }

    /// Takes a token, or tells how long it takes until there is one.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        self.0.check().map_err(|refused| refused.wait_time_from(TokioClock.now()))
    }
}

/// One bucket for each of many. Keeps only hashes of what tells them apart, and not more than it has room for. Cheap to
/// clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Buckets {
    rate: Rate,
    by_hash: Cache<u64, Arc<Bucket>>,
    hasher: RandomState,
}

impl Buckets {
    /// All of them full.
    pub(crate) fn new(rate: Rate) -> Self {
        let by_hash = Cache::builder().max_capacity(KEPT).time_to_idle(rate.refill()).build();
        Self { rate, by_hash, hasher: RandomState::new() }
    }

    /// Takes a token from the bucket of `whose`, or tells how long it takes until there is one.
    pub(crate) async fn take(&self, whose: impl Hash) -> Result<(), Duration> {
        let new = async { Arc::new(Bucket::new(self.rate)) };
        self.by_hash.get_with(self.hasher.hash_one(whose), new).await.take()
    }

    /// The bucket of `whose` is full again.
    pub(crate) async fn fill(&self, whose: impl Hash) {
        self.by_hash.invalidate(&self.hasher.hash_one(whose)).await;
    }
}

/// Time as Tokio tells it, so that a test can set it.
#[derive(Debug, Clone, Copy)]
struct TokioClock;

impl Clock for TokioClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time;

    const FIVE: NonZero<u32> = NonZero::new(5).expect("not zero");
    const TEN: NonZero<u32> = NonZero::new(10).expect("not zero");

    #[tokio::test(start_paused = true)]
    async fn a_burst_at_once_then_one_token_after_the_other() {
        let bucket = Bucket::new(Rate::per_second(TEN, FIVE));
        for _ in 0..5 {
            assert_eq!(bucket.take(), Ok(()));
        }
        let wait = bucket.take().expect_err("the burst is over");
        assert!(!wait.is_zero() && wait <= Duration::from_millis(100), "{wait:?}");
        time::advance(wait).await;
        assert_eq!(bucket.take(), Ok(()), "it told the truth");
        assert!(bucket.take().is_err());
        time::advance(Duration::from_secs(60)).await;
        assert_eq!((0..10).filter(|_| bucket.take().is_ok()).count(), 5, "it holds no more than a burst");
    }

    #[tokio::test(start_paused = true)]
    async fn each_has_a_bucket_of_its_own() {
        let buckets = Buckets::new(Rate::per_minute(FIVE));
        for _ in 0..5 {
            assert_eq!(buckets.take("ana").await, Ok(()));
        }
        let wait = buckets.take("ana").await.expect_err("the burst is over");
        assert!(wait <= Duration::from_secs(12), "{wait:?}");
        assert_eq!(buckets.take("bob").await, Ok(()));
        buckets.fill("ana").await;
        assert_eq!(buckets.take("ana").await, Ok(()));
    }

    #[test]
    fn a_bucket_is_small() {
        assert!(size_of::<Bucket>() <= 48, "{}", size_of::<Bucket>());
    }
}

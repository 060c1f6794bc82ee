//! Rights that one of several adapters has at a time.

use std::time::Duration;

use redis::Script;

use super::Layer;
use super::error::LayerError;

/// Takes it if it is free, keeps it if it is ours.
const HOLD: &str = "
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// Gives it back if it is ours.
const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

impl Layer {
    /// Has the right of this name for so long from now on, if nobody else has it. It stands on the first host.
    pub async fn hold(&self, name: &str, span: Duration) -> Result<bool, LayerError> {
        let milliseconds = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
        let script = Script::new(HOLD);
        let mut question = script.key(self.lease_key(name));
        question.arg(self.shared.members.process.as_str()).arg(milliseconds);
        self.shared.hosts[0].script::<bool>(&question).await
    }

    /// Has it no longer.
    pub async fn release(&self, name: &str) -> Result<(), LayerError> {
        let script = Script::new(RELEASE);
        let mut question = script.key(self.lease_key(name));
        question.arg(self.shared.members.process.as_str());
        self.shared.hosts[0].script::<i64>(&question).await.map(drop)
    }

    fn lease_key(&self, name: &str) -> String {
        self.shared.members.names.lease_key(name)
    }
}

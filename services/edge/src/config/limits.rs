//! The knobs that keep one client from taking what belongs to all.

use std::num::NonZero;

/// What one client may ask of an edge. Each edge counts for itself: with three of them, somebody with sockets on all
/// may have three times as much.
#[derive(Debug, Clone, clap::Args)]
pub struct LimitsConfig {
    /// Frames per second that one socket may go on sending. A person types, edits and marks as read at well below 5.
    #[arg(long, env = "EDGE_FRAMES_PER_SECOND", default_value_t = LimitsConfig::default().frames_per_second)]
    pub frames_per_second: NonZero<u32>,

    /// Frames that one socket may send at once: what a client says again after a reconnect.
    #[arg(long, env = "EDGE_FRAMES_BURST", default_value_t = LimitsConfig::default().frames_burst)]
    pub frames_burst: NonZero<u32>,

    /// Frames and REST requests per second that one account may go on sending over all its sockets: a few devices, or
    /// a page that loads much.
    #[arg(long, env = "EDGE_USER_REQUESTS_PER_SECOND", default_value_t = LimitsConfig::default().user_requests_per_second)]
    pub user_requests_per_second: NonZero<u32>,

    /// Frames and REST requests that one account may send at once.
    #[arg(long, env = "EDGE_USER_REQUESTS_BURST", default_value_t = LimitsConfig::default().user_requests_burst)]
    pub user_requests_burst: NonZero<u32>,

    /// Attempts per minute to log in under one name, and as many at once. One address may make half of them, so that
    /// whoever guesses a password does not lock its owner out. A success begins anew.
    #[arg(long, env = "EDGE_NAME_LOGINS_PER_MINUTE", default_value_t = LimitsConfig::default().name_logins_per_minute)]
    pub name_logins_per_minute: NonZero<u32>,

    /// Attempts per minute to log in from one client address (IPv6: one /64), and as many at once. An office behind one
    /// address logs in within a minute.
    #[arg(long, env = "EDGE_ADDRESS_LOGINS_PER_MINUTE", default_value_t = LimitsConfig::default().address_logins_per_minute)]
    pub address_logins_per_minute: NonZero<u32>,

    /// Proxies in front of the edge that add to `X-Forwarded-For`, so that the client's address is told from theirs. 0:
    /// clients connect themselves, and the header is not believed.
    #[arg(long, env = "EDGE_PROXIES", default_value_t = LimitsConfig::default().proxies)]
    pub proxies: u8,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            frames_per_second: some(20),
            frames_burst: some(100),
            user_requests_per_second: some(50),
            user_requests_burst: some(500),
            name_logins_per_minute: some(20),
            address_logins_per_minute: some(60),
            proxies: 0,
        }
    }
}

const fn some(number: u32) -> NonZero<u32> {
    NonZero::new(number).expect("the default is not zero")
}

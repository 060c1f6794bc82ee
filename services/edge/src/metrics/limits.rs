//! The bounds that are set, beside what is in use.

use metrics::{describe_gauge, gauge};

use crate::config::EdgeConfig;

pub(super) fn describe(config: &EdgeConfig) {
    for (name, meaning, limit) in [
        ("natter_connections_limit", "Sockets that may be open at once.", config.max_connections as f64),
        (
            "natter_batch_bytes_limit",
            "Bytes from which on connections hold one frame at a time.",
            config.batches_bytes as f64,
        ),
        (
            "natter_connection_batch_bytes_limit",
            "Bytes of frames that one connection holds to write them, at most.",
            config.batch_bytes as f64,
        ),
        (
            "natter_connection_unsent_bytes_limit",
            "Bytes that the system keeps for one client that does not read.",
            f64::from(config.unsent_bytes),
        ),
        (
            "natter_connection_slow_seconds_limit",
            "Seconds that a client may leave what it was sent unread.",
            config.slow_seconds as f64,
        ),
        (
            "natter_window_bytes_limit",
            "Bytes of frames kept for all rooms, beyond which each keeps few.",
            config.windows_bytes as f64,
        ),
        ("natter_window_frames_limit", "Frames that a room keeps in memory, at most.", config.window_frames as f64),
    ] {
        describe_gauge!(name, meaning);
        gauge!(name).set(limit);
    }
}

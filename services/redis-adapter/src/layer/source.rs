//! Where time and chance come from.

use std::time::SystemTime;

use rand::RngExt;

/// The clock and the dice.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// The system's.
    System,
    /// What the recorded vectors were made with.
    #[cfg(test)]
    Recorded {
        /// Seconds since 1970.
        now: f64,
    },
}

impl Source {
    /// Seconds since 1970.
    pub(crate) fn now(self) -> f64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .expect("the clock stands after 1970")
                .as_secs_f64(),
            #[cfg(test)]
            Self::Recorded { now } => now,
        }
    }

    /// The bytes that make equal payloads differ.
    pub(crate) fn random_prefix(self, n_bytes: usize) -> Vec<u8> {
        match self {
            Self::System => random(n_bytes),
            #[cfg(test)]
            Self::Recorded { .. } => (1..).take(n_bytes).collect(),
        }
    }

    /// The first block of an encryption.
    pub(crate) fn iv(self) -> [u8; 16] {
        match self {
            Self::System => rand::random(),
            #[cfg(test)]
            Self::Recorded { .. } => std::array::from_fn(|i| i as u8),
        }
    }
}

fn random(n_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; n_bytes];
    rand::rng().fill(bytes.as_mut_slice());
    bytes
}

//! Which version of the Django chat REST answers like.

use std::fmt;

use clap::ValueEnum;
use natter_proto::v1::TokenContent;

/// How REST answers, and what tokens tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// As at the time of the seed: plain lists, oldest first.
    Seed,
    /// As in the later commits: every list in pages, newest first, profiles in place of accounts.
    Later,
}

impl Dialect {
    /// What the tokens of those who log in tell.
    pub(crate) fn token_content(self) -> TokenContent {
        match self {
            Self::Seed => TokenContent::Account,
            Self::Later => TokenContent::Profile,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seed => "seed",
            Self::Later => "later",
        })
    }
}

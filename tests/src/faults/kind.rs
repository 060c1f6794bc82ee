//! The kinds of faults.

use std::fmt;
use std::str::FromStr;

use crate::proxy::Cut;

/// Processes of one sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// Where clients connect.
    Edge,
    /// Who may take part.
    Authz,
    /// The fold.
    Persistence,
    /// The log.
    Nats,
    /// The store.
    Postgres,
}

/// Lines that the checker's own proxies can cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Link {
    /// All clients of one edge.
    ClientEdge,
    /// One edge, all NATS servers.
    EdgeNats,
    /// One edge, all authz processes.
    EdgeAuthz,
    /// One edge, all persistence processes.
    EdgePersistence,
    /// One persistence process.
    PersistencePostgres,
}

/// What is done to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `kill -9` of one process.
    Kill(Tier),
    /// SIGTERM to one process (Postgres: SIGINT, since SIGTERM waits for its clients).
    Terminate(Tier),
    /// SIGSTOP of one process and its children, then SIGCONT.
    Pause(Tier),
    /// `kill -9` of the NATS server that leads the log.
    KillLogLeader,
    /// `kill -9` of two of three NATS servers.
    LoseQuorum,
    /// `kill -9` of everything at once.
    KillEverything,
    /// Every process ends and starts again, one after the other.
    RollingRestart,
    /// Postgres stops immediately, while persistence stores a batch.
    StopPostgresAtOnce,
    /// A persistence process dies between COMMIT and acknowledgement.
    DieAfterCommit,
    /// Lines are cut.
    Cut(Link, Cut),
    /// Clients that ask for everything and do not read, and readers that pause.
    NeverRead,
    /// The disk of one NATS server is full.
    DiskFull,
    /// The log has reached the size it may have.
    LogFull,
}

impl Kind {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let tiers = [Tier::Edge, Tier::Authz, Tier::Persistence, Tier::Nats, Tier::Postgres];
        let links =
            [Link::ClientEdge, Link::EdgeNats, Link::EdgeAuthz, Link::EdgePersistence, Link::PersistencePostgres];
        let cuts = [Cut::Close, Cut::Reset, Cut::Swallow];
        let mut all: Vec<Self> =
            tiers.iter().flat_map(|&tier| [Self::Kill(tier), Self::Terminate(tier), Self::Pause(tier)]).collect();
        all.extend([Self::KillLogLeader, Self::LoseQuorum, Self::KillEverything, Self::RollingRestart]);
        all.extend([Self::StopPostgresAtOnce, Self::DieAfterCommit]);
        all.extend(links.iter().flat_map(|&link| cuts.map(|cut| Self::Cut(link, cut))));
        all.extend([Self::NeverRead, Self::DiskFull, Self::LogFull]);
        all
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(tier) => write!(f, "kill-{}", tier.name()),
            Self::Terminate(tier) => write!(f, "term-{}", tier.name()),
            Self::Pause(tier) => write!(f, "stop-{}", tier.name()),
            Self::KillLogLeader => f.write_str("kill-log-leader"),
            Self::LoseQuorum => f.write_str("lose-quorum"),
            Self::KillEverything => f.write_str("kill-everything"),
            Self::RollingRestart => f.write_str("rolling-restart"),
            Self::StopPostgresAtOnce => f.write_str("immediate-postgres"),
            Self::DieAfterCommit => f.write_str("die-after-commit"),
            Self::Cut(link, cut) => {
                let cut = match cut {
                    Cut::Close => "close",
                    Cut::Reset => "reset",
                    Cut::Swallow => "swallow",
                };
                write!(f, "{cut}-{}", link.name())
            }
            Self::NeverRead => f.write_str("never-read"),
            Self::DiskFull => f.write_str("disk-full"),
            Self::LogFull => f.write_str("log-full"),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = Self::all();
        let found = all.iter().find(|kind| kind.to_string() == name).copied();
        found.ok_or_else(|| {
            let names: Vec<String> = all.iter().map(Self::to_string).collect();
            format!("there is no fault of that kind; there are {}", names.join(", "))
        })
    }
}

impl Tier {
    fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Authz => "authz",
            Self::Persistence => "persistence",
            Self::Nats => "nats",
            Self::Postgres => "postgres",
        }
    }
}

impl Link {
    fn name(self) -> &'static str {
        match self {
            Self::ClientEdge => "client-edge",
            Self::EdgeNats => "edge-nats",
            Self::EdgeAuthz => "edge-authz",
            Self::EdgePersistence => "edge-persistence",
            Self::PersistencePostgres => "persistence-postgres",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in Kind::all() {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("kill-time".parse::<Kind>().is_err());
    }
}

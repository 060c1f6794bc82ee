//! All programs that are watched, look after look.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use futures_util::future::join_all;

use crate::top::address::OpsAddress;
use crate::top::change::Change;
use crate::top::exposition::Exposition;
use crate::top::scrape::{Scrape, scrape};

/// What is known of a system.
#[derive(Debug)]
pub(crate) struct System {
    sources: Vec<Source>,
    processes: BTreeMap<SocketAddr, Process>,
}

/// What was asked for.
#[derive(Debug)]
struct Source {
    address: OpsAddress,
    /// Nobody asked for it by name: who never answered there is not missed.
    is_guess: bool,
    machines: Vec<SocketAddr>,
    /// Why its machines are not known.
    trouble: Option<String>,
}

/// One program, by its ops port.
#[derive(Debug, Default)]
pub(crate) struct Process {
    before: Option<Scrape>,
    last: Option<Scrape>,
    /// Why it could not be looked at just now.
    trouble: Option<String>,
}

impl System {
    /// Nothing is known yet. Of `guesses`, only those are told that answered at least once.
    pub(crate) fn new(asked: &[OpsAddress], guesses: &[OpsAddress]) -> Self {
        let source = |is_guess| {
            move |address: &OpsAddress| Source {
                address: address.clone(),
                is_guess,
                machines: Vec::new(),
                trouble: None,
            }
        };
        let sources = asked.iter().map(source(false)).chain(guesses.iter().map(source(true))).collect();
        Self { sources, processes: BTreeMap::new() }
    }

    /// Looks at all of them once more, at the same time.
    pub(crate) async fn look(&mut self) {
        join_all(self.sources.iter_mut().map(Source::resolve)).await;
        let mut addresses: Vec<SocketAddr> =
            self.sources.iter().flat_map(|source| source.machines.iter().copied()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        self.processes.retain(|address, _| addresses.binary_search(address).is_ok());
        let looks = addresses.into_iter().map(async |address| (address, scrape(address).await));
        for (address, outcome) in join_all(looks).await {
            self.processes.entry(address).or_default().seen(outcome);
        }
    }

    /// Those that answered at least once, by address.
    pub(crate) fn known(&self) -> impl Iterator<Item = (SocketAddr, &Process)> {
        self.processes
            .iter()
            .filter(|(_, process)| process.last.is_some())
            .map(|(address, process)| (*address, process))
    }

    /// Who cannot be looked at, and why.
    pub(crate) fn unreachable(&self) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = self
            .sources
            .iter()
            .filter_map(|source| Some((source.address.to_string(), source.trouble.clone()?)))
            .collect();
        for (address, process) in &self.processes {
            let is_missed = process.last.is_some() || self.is_asked_for(*address);
            all.extend(process.trouble.clone().filter(|_| is_missed).map(|why| (address.to_string(), why)));
        }
        all
    }

    /// Has nobody answered yet?
    pub(crate) fn is_unknown(&self) -> bool {
        self.known().next().is_none()
    }

    fn is_asked_for(&self, address: SocketAddr) -> bool {
        self.sources.iter().any(|source| !source.is_guess && source.machines.contains(&address))
    }
}

impl Source {
    async fn resolve(&mut self) {
        match self.address.resolve().await {
            Ok(machines) => (self.machines, self.trouble) = (machines, None),
            // Those that were there may still be.
            Err(why) => self.trouble = Some(why),
        }
    }
}

impl Process {
    fn seen(&mut self, outcome: Result<Scrape, String>) {
        match outcome {
            Ok(scrape) => (self.before, self.last, self.trouble) = (self.last.take(), Some(scrape), None),
            Err(why) => self.trouble = Some(why),
        }
    }

    /// What it counts and how that changes. `None`: it could not be looked at just now.
    pub(crate) fn change(&self) -> Option<Change<'_>> {
        let last = self.last.as_ref().filter(|_| self.trouble.is_none())?;
        let before = self.before.as_ref();
        let seconds = before.map_or(0.0, |before| last.at.duration_since(before.at).as_secs_f64());
        Some(Change { before: before.map(|before| &before.told), now: &last.told, seconds })
    }

    /// What it counted when it answered last.
    pub(crate) fn told(&self) -> Option<&Exposition> {
        self.last.as_ref().map(|last| &last.told)
    }

    /// What it waits for, and why.
    pub(crate) fn waiting_for(&self) -> impl Iterator<Item = (&str, &str)> {
        let last = self.last.as_ref().filter(|_| self.trouble.is_none());
        last.into_iter().flat_map(|last| &last.waiting_for).map(|(need, why)| (need.as_str(), why.as_str()))
    }

    /// In one word.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.trouble, self.waiting_for().next()) {
            (Some(_), _) => "unreachable",
            (None, Some(_)) => "not ready",
            (None, None) => "ready",
        }
    }

    #[cfg(test)]
    pub(crate) fn of(before: &str, now: &str, waiting_for: &[(&str, &str)]) -> Self {
        let begun = tokio::time::Instant::now();
        let look = |text: &str, seconds| Scrape {
            at: begun + std::time::Duration::from_secs(seconds),
            told: Exposition::parse(text).unwrap(),
            waiting_for: waiting_for.iter().map(|(need, why)| ((*need).to_owned(), (*why).to_owned())).collect(),
        };
        Self { before: Some(look(before, 0)), last: Some(look(now, 2)), trouble: None }
    }
}

#[cfg(test)]
impl System {
    /// One that is made up.
    pub(crate) fn of(processes: Vec<(&str, Process)>) -> Self {
        let processes = processes.into_iter().map(|(address, process)| (address.parse().unwrap(), process)).collect();
        Self { sources: Vec::new(), processes }
    }

    /// It does not answer any more.
    pub(crate) fn loses(&mut self, address: &str, why: &str) {
        self.processes.get_mut(&address.parse().unwrap()).unwrap().seen(Err(why.to_owned()));
    }
}

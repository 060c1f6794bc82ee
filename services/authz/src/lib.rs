//! Authz: who there is, who may take part where, and the tokens that prove it.

mod admission;
pub mod config;
mod conversations;
mod passwords;
mod reply;
mod service;
mod tokens;

use std::sync::Arc;

use natter_identity::minter::Minter;
use natter_identity::verifier::Verifier;
use natter_store::accounts::AccountStore;

use crate::passwords::Passwords;

/// The service, as gRPC calls it (`natter.v1.Authz`). Cheap to clone.
#[derive(Clone)]
pub struct Authz {
    store: Arc<dyn AccountStore>,
    minter: Arc<Minter>,
    verifier: Arc<Verifier>,
    passwords: Passwords,
}

impl Authz {
    /// Answers from `store`, signs with `minter`, and takes back what `verifier` accepts.
    pub fn new(store: Arc<dyn AccountStore>, minter: Minter, verifier: Verifier) -> Self {
        Self { store, minter: Arc::new(minter), verifier: Arc::new(verifier), passwords: Passwords::on_this_machine() }
    }
}

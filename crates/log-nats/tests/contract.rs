//! JetStream against the contract of the log.

mod provisioned;

use natter_model::id::Position;
use provisioned::Provisioned;

async fn fresh(first: Position) -> Provisioned {
    Provisioned::new(first).await
}

natter_log::log_contract!(fresh);

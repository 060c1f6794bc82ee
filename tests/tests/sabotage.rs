//! The checker finds what is broken on purpose, and nothing in the same scene when nothing is broken.

use natter_tests::faults::sabotage::Sabotage;

async fn is_found(sabotage: Sabotage) {
    let found = sabotage.perform(true).await;
    assert!(found.iter().any(|finding| finding.wrong == sabotage.expected()), "{found:?}");
    let found = sabotage.perform(false).await;
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn acknowledging_early_is_found() {
    is_found(Sabotage::AcknowledgeEarly).await;
}

#[tokio::test]
async fn skipping_the_gap_fill_is_found() {
    is_found(Sabotage::SkipGapFill).await;
}

#[tokio::test]
async fn forgetting_the_client_id_is_found() {
    is_found(Sabotage::ForgetClientId).await;
}

//! Up to where the log has come, as the store behind persistence knows.

use natter_host::calls::Calls;
use natter_host::peer;
use natter_model::id::Position;
use natter_proto::v1::GetHighestRequest;
use natter_proto::v1::messages_client::MessagesClient;

/// The highest position that the store bears witness of, or why nobody says so.
pub(crate) async fn ask(persistence: Calls) -> Result<Position, String> {
    let answer = MessagesClient::new(persistence).get_highest(GetHighestRequest {}).await;
    answer.map(|answer| Position::new(answer.into_inner().position)).map_err(|status| peer::told(&status))
}

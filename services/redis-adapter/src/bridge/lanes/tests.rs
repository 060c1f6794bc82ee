//! What waited so long that the log's own memory of ids does not help.

use natter_log::embedded::Embedded;
use natter_model::event::{Actor, Event};
use natter_model::id::AccountId;
use natter_model::timestamp::Timestamp;
use natter_proto::v1::authz_client::AuthzClient;
use tonic::transport::Endpoint;

use super::*;

fn relay(log: Arc<dyn Log>) -> Relay {
    let nobody = Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
    let (members, recent) = (Members::new(AuthzClient::new(nobody.into())), Recent::new());
    Relay { log, members, recent, first: Position::new(1 << 40), has_overlap: watch::Sender::new(false) }
}

fn djangos(conversation: u64, id: u64) -> Event {
    let actor = Actor { id: AccountId::new(1).unwrap(), username: "ana".to_owned() };
    let deed =
        Deed::Posted { message: MessageId::new(id).unwrap(), content: "hi".to_owned(), at: Timestamp::from_micros(0) };
    let conversation = ConversationId::new(conversation).unwrap();
    Said { conversation, username: "ana".to_owned(), deed }.event(actor).unwrap()
}

#[tokio::test]
async fn what_another_adapter_has_appended_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(Embedded::open(&folder.path().join("log"), Position::new(1 << 40)).unwrap());
    let relay = relay(log.clone());
    let mut positions = Vec::new();
    // More than one page.
    for id in 1..=PAGE as u64 + 2 {
        positions.push(log.append(&djangos(1, id)).await.unwrap().position);
    }
    let [here, there] = [1, 2].map(|id| ConversationId::new(id).unwrap());
    let last = djangos(1, PAGE as u64 + 2).id;
    assert!(relay.stands(here, Position::START, last).await.unwrap());
    assert!(relay.stands(here, positions[PAGE], last).await.unwrap());
    assert!(!relay.stands(here, positions[PAGE + 1], last).await.unwrap(), "only behind what was seen");
    assert!(!relay.stands(there, Position::START, last).await.unwrap());
    assert!(!relay.stands(here, Position::START, djangos(1, 9999).id).await.unwrap());
}

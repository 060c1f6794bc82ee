//! What must be so before the adapter runs: Django's ids stay below Natter's.

use natter_host::calls::Calls;
use natter_host::exit::Misconfigured;
use natter_host::peer;
use natter_model::id::{ConversationId, Position};
use natter_proto::v1::GetHighestRequest;
use natter_proto::v1::messages_client::MessagesClient;

/// The highest id of a message that Django gave, as far as the store knows; 0: it knows none.
pub async fn highest_of_django(persistence: Calls) -> Result<u64, String> {
    let answer = MessagesClient::new(persistence).get_highest(GetHighestRequest {}).await;
    answer.map(|answer| answer.into_inner().given_message_id).map_err(|status| peer::told(&status))
}

/// Refuses a log that begins at or below an id that Django has given or may give. Answers where the log begins.
pub fn check_ids(first: Position, highest_of_django: u64) -> Result<ConversationId, Misconfigured> {
    let refused = |trouble: String| {
        let mend = "give the log a beginning far above all ids of Django, such as 2^40: while it holds no messages, \
                    `natter repair --past 1099511627776` makes it anew there (before it is made, `natter provision \
                    --first-sequence 1099511627776` does)";
        Misconfigured::new("NATS_URL", format!("{trouble}; {mend}"))
    };
    match ConversationId::new(first.get()) {
        Some(begins_at) if first.get() > 1 && first.get() > highest_of_django => Ok(begins_at),
        _ if highest_of_django > 0 => Err(refused(format!(
            "the log begins at {first}, but Django has given the id {highest_of_django}: ids of both would meet"
        ))),
        _ => {
            Err(refused(format!("the log begins at {first}, so that every id of Django's would meet one of Natter's")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_django_lie_below_the_log() {
        for (first, highest, is_good) in [
            (1 << 40, 0, true),
            (1001, 1000, true),
            (1000, 1000, false),
            (1000, 2000, false),
            (1, 0, false),
            (0, 0, false),
        ] {
            let checked = check_ids(Position::new(first), highest);
            assert_eq!(checked.is_ok(), is_good, "{first} {highest}");
            if let Err(refused) = checked {
                let text = refused.to_string();
                assert!(text.contains(&first.to_string()) && text.contains("natter repair --past"), "{text}");
                assert!(highest == 0 || text.contains(&highest.to_string()), "{text}");
            }
        }
    }
}

//! A real Django and a real Natter in one conversation, until Django goes away.

use natter_tests::client::Client;
use natter_tests::django::Layer;
use natter_tests::fixture::World;
use natter_tests::fleet::Fleet;
use natter_tests::frame::Frame;
use natter_tests::record::Record;
use natter_tests::wait::until;
use serde_json::json;

/// Where everybody talks.
const CONVERSATION: u64 = 1;

/// A key like those of `symmetric_encryption_keys`; the second one is still accepted.
const KEYS: &str = "the key of today,the key of last year";

/// The story for each of the two layers, with encryption and without.
macro_rules! on_each_layer {
    ($(#[$doc:meta])* async fn $name:ident($fleet:ident: Fleet) $body:block) => {
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn story(layer: Layer, keys: &str) {
                let $fleet = Fleet::start(&World::of_a_fleet(), layer, keys).await;
                $body
            }

            #[tokio::test]
            async fn core() {
                story(Layer::Core, "").await;
            }

            #[tokio::test]
            async fn core_encrypted() {
                story(Layer::Core, KEYS).await;
            }

            #[tokio::test]
            async fn pubsub() {
                story(Layer::Pubsub, "").await;
            }

            #[tokio::test]
            async fn pubsub_encrypted() {
                story(Layer::Pubsub, KEYS).await;
            }
        }
    };
}

/// `ana` at Django and `bob` at Natter, connected.
async fn ana_and_bob(fleet: &Fleet) -> (Client, Client) {
    let (mut ana, mut bob) = (fleet.django.client("ana"), fleet.natter.client("bob"));
    ana.joins(CONVERSATION).await;
    bob.joins(CONVERSATION).await;
    (ana, bob)
}

async fn all_hear(clients: &mut [&mut Client], told: &Frame) {
    for client in clients {
        client.hears_the_same_as(told).await;
    }
}

/// What those hear who see somebody begin to type.
fn typing(username: &str) -> Frame {
    Frame(json!({"type": "typing", "username": username, "is_typing": true}))
}

/// A message that was there before, as far as somebody has to know it who wants to change it.
fn imported(number: usize) -> Frame {
    Frame(json!({"message_id": World::of_a_fleet().messages[number].id}))
}

on_each_layer! {
    /// All that can be done to a message goes both ways, once, in order, and nothing comes back.
    async fn both_sides_hear_each_other(fleet: Fleet) {
        let (mut ana, mut bob) = ana_and_bob(&fleet).await;

        let anas = ana.says(" from Django 👋 ").await;
        bob.hears_the_same_as(&anas).await;
        let bobs = bob.says(" from Natter 👋 ").await;
        ana.hears_the_same_as(&bobs).await;
        assert!(anas.message_id() < bobs.message_id());

        ana.hears_the_same_as(&bob.reads(&anas).await).await;
        bob.hears_the_same_as(&ana.edits(&anas, "edited at Django").await).await;
        ana.hears_the_same_as(&bob.edits(&bobs, "edited at Natter").await).await;
        ana.types(true).await;
        bob.hears_the_same_as(&typing("ana")).await;
        bob.types(true).await;
        ana.hears_the_same_as(&typing("bob")).await;
        bob.hears_the_same_as(&ana.deletes(&anas).await).await;
        ana.hears_the_same_as(&bob.deletes(&bobs).await).await;

        // What was said before the two met can be changed, too.
        bob.hears_the_same_as(&ana.edits(&imported(0), "edited long after").await).await;
        ana.hears_the_same_as(&bob.reads(&imported(0)).await).await;

        // An echo of anything above would be heard before these.
        for number in 0..20 {
            bob.hears_the_same_as(&ana.says(&format!("Django {number}")).await).await;
            ana.hears_the_same_as(&bob.says(&format!("Natter {number}")).await).await;
        }
    }
}

on_each_layer! {
    /// One after the other leaves Daphne, and the conversation goes on as if nothing had happened.
    async fn clients_move_over_and_django_goes_away(fleet: Fleet) {
        let mut fleet = fleet;
        fleet.starts_the_mirror().await;
        let mut record = Record::of(&World::of_a_fleet(), CONVERSATION);
        let (mut ana, mut bob) = ana_and_bob(&fleet).await;
        let mut eve = fleet.django.client("eve");
        eve.joins(CONVERSATION).await;

        let anas = record.said(ana.says("everybody is here").await);
        all_hear(&mut [&mut bob, &mut eve], &anas).await;

        // On the way over ana misses what is said on either side, and finds it in the history.
        leaves_django(&fleet, &mut ana).await;
        let bobs = record.said(bob.says("said at Natter").await);
        eve.hears_the_same_as(&bobs).await;
        bob.hears_the_same_as(&record.said(eve.says("said at Django").await)).await;
        ana.moves_to(&fleet.natter);
        ana.reconnects().await;
        assert_eq!(Record::seen_by(&ana).await, record);
        all_hear(&mut [&mut ana, &mut bob], &record.said(eve.says("welcome over there").await)).await;

        // What ana said at Django is hers to change at Natter, and what bob said at Natter is his at Django.
        all_hear(&mut [&mut bob, &mut eve], &record.edited(ana.edits(&anas, "everybody was there").await)).await;
        let mut bob_at_django = fleet.django.client("bob");
        bob_at_django.joins(CONVERSATION).await;
        shows(&bob_at_django, &bobs).await;
        let edited = record.edited(bob_at_django.edits(&bobs, "said somewhere").await);
        all_hear(&mut [&mut ana, &mut bob, &mut eve], &edited).await;

        fleet.django.stop().await;
        eve.is_gone().await;
        ana.hears_the_same_as(&record.said(bob.says("Django has left").await)).await;
        eve.moves_to(&fleet.natter);
        eve.reconnects().await;
        all_hear(&mut [&mut ana, &mut bob], &record.said(eve.says("now all are here").await)).await;
        assert_eq!(Record::seen_by(&eve).await, record);
    }
}

/// The line drops, and Django has seen that. What reaches Daphne in the moment in which a consumer ends can be lost for
/// all others there: the core layer takes a message off Redis in one step and notes that it has in the next.
async fn leaves_django(fleet: &Fleet, client: &mut Client) {
    let group = format!("asgi:group:chat_{CONVERSATION}");
    let members = || fleet.redis.query(["ZCARD", &group])[0].parse::<u32>().expect("a number of members");
    let before = members();
    client.drops_the_line();
    // The pub/sub layer keeps no members.
    until("Django has seen them off", async || (before == 0 || members() < before).then_some(())).await;
    // Whoever is answered now is so after the end of the consumer that has left its group.
    assert_eq!(client.get("/api/chat/conversations/").await.status, 200);
}

/// Django's tables have got this message of Natter's.
async fn shows(client: &Client, message: &Frame) {
    let path = format!("/api/chat/messages/{}/", message.message_id());
    until("the message is mirrored", async || (client.get(&path).await.status == 200).then_some(())).await;
}

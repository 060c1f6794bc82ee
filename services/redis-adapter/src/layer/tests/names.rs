//! Names and where they live, as recorded.

use super::recorded::{list, vectors};
use crate::layer::names::{Names, ProcessId, host_of, is_adapters_channel, is_channel_name, is_group_name};

#[test]
fn names_are_valid_as_recorded() {
    let vectors = vectors("channels_names.json");
    for (name, valid) in vectors["valid_group"].as_object().unwrap() {
        assert_eq!(is_group_name(name), valid.as_bool().unwrap(), "group {name:?}");
    }
    for (name, valid) in vectors["valid_channel"].as_object().unwrap() {
        assert_eq!(is_channel_name(name), valid.as_bool().unwrap(), "channel {name:?}");
    }
}

#[test]
fn names_live_where_recorded() {
    for case in list(&vectors("channels_names.json"), "consistent_hash") {
        let name = case["value"].as_str().unwrap();
        assert_eq!(u64::from(crc32fast::hash(name.as_bytes())), case["crc32"].as_u64().unwrap(), "{name}");
        for (n_hosts, host) in case["ring"].as_object().unwrap() {
            assert_eq!(host_of(name, n_hosts.parse().unwrap()) as u64, host.as_u64().unwrap(), "{name} of {n_hosts}");
        }
    }
}

#[test]
fn an_adapter_knows_its_channels_and_those_of_other_adapters() {
    let (ours, other) = (ProcessId::random(), ProcessId::random());
    let channel = ours.channel("chat_9223372036854775807").unwrap();
    assert!(is_channel_name(&channel));
    assert_eq!(ours.group_of(&channel), Some("chat_9223372036854775807"));
    assert_eq!(other.group_of(&channel), None);
    assert!(is_adapters_channel(&channel) && is_adapters_channel(&other.channel("chat_1").unwrap()));
    assert!(!is_adapters_channel("specific.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!chat_1"));
    assert_eq!(ours.channel("chat 1"), None);
    assert_eq!(ours.channel(&"x".repeat(58)), None);
}

#[test]
fn a_prefix_is_no_pattern() {
    assert_eq!(Names::new("a*[b]", 1).chats_pattern(), "a\\*\\[b\\]__group__chat_*");
    assert_eq!(Names::new("a*[b]", 1).group_of("a*[b]__group__chat_7"), Some("chat_7"));
}

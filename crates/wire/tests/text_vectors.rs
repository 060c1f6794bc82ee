//! Python's text rules, against recorded answers of Python.

use natter_model::text::{is_python_space, strip};
use natter_model::timestamp::Timestamp;
use natter_wire::{python, query};
use serde_json::Value;

fn vectors(section: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../vectors/text.json")).expect("the vectors are JSON");
    all[section].as_array().expect("each section is a list").clone()
}

fn text<'a>(vector: &'a Value, key: &str) -> &'a str {
    vector[key].as_str().unwrap_or_else(|| panic!("{key} of {vector} is a text"))
}

#[test]
fn strip_removes_what_python_removes() {
    for vector in vectors("strip") {
        let (given, stripped) = (text(&vector, "in"), text(&vector, "out"));
        assert_eq!(strip(given), stripped, "{given:?}");
        assert_eq!(given.chars().count(), vector["len"], "{given:?}");
        assert_eq!(stripped.chars().count(), vector["len_out"], "{given:?}");
    }
}

#[test]
fn whitespace_is_what_python_calls_whitespace() {
    let listed: Vec<String> =
        vectors("whitespace").iter().map(|name| name.as_str().expect("a name").to_owned()).collect();
    let found: Vec<String> =
        ('\0'..=char::MAX).filter(|c| is_python_space(*c)).map(|c| format!("U+{:04X}", u32::from(c))).collect();
    assert_eq!(found, listed);
}

#[test]
fn int_reads_what_python_reads() {
    for vector in vectors("int") {
        let given = &vector["in"];
        assert_eq!(python::truthy(given), vector.get("required").is_none(), "{given}");
        match vector.get("int") {
            Some(integer) => {
                let read = python::int(given).unwrap_or_else(|_| panic!("{given} is an integer"));
                assert_eq!(read.to_string(), *integer, "{given}");
            }
            None if python::truthy(given) => assert!(python::int(given).is_err(), "{given}"),
            None => {}
        }
    }
}

#[test]
fn times_are_written_as_django_writes_them() {
    let epoch = time_of(&[1970, 1, 1, 0, 0, 0, 0]);
    for vector in vectors("time") {
        let fields: Vec<i64> = serde_json::from_value(vector["fields"].clone()).expect("seven numbers");
        let timestamp = Timestamp::from_micros(time_of(&fields) - epoch);
        assert_eq!(timestamp.to_frame(), vector["frame"]);
        assert_eq!(timestamp.to_rest(), vector["rest"]);
    }
}

/// Microseconds from some fixed moment to this one of the Gregorian calendar.
fn time_of(fields: &[i64]) -> i64 {
    let &[year, month, day, hour, minute, second, micro] = fields else { panic!("seven fields: {fields:?}") };
    // Counted from 1 March, so that a leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000 + micro
}

#[test]
fn the_token_is_found_where_django_finds_it() {
    for vector in vectors("query") {
        let query = text(&vector, "query");
        assert_eq!(query::token(query).as_deref(), vector["token"].as_str(), "{query:?}");
    }
}

//! Verdicts of the real Django on password rows.

use natter_identity::password;

#[derive(serde::Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    id: String,
    password: String,
    encoded: String,
    valid: bool,
    must_update: bool,
}

#[test]
fn every_row_gets_the_verdict_of_django() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/passwords.json")).expect("the vectors parse");
    assert_eq!(vectors.cases.len(), 196);
    for Case { id, password, encoded, valid, must_update } in vectors.cases {
        assert_eq!(password::verify(&password, &encoded), valid, "{id}");
        if valid {
            assert_eq!(password::needs_rehash(&encoded), must_update, "{id}");
        }
    }
}

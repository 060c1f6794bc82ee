//! Wrong settings end the start with one line that names the setting.

use std::net::TcpListener;
use std::path::Path;

use natter_tests::fixture::SIGNING_KEY;
use natter_tests::process::Launch;
use natter_tests::programs::natter_program;

/// A program with settings that work, as far as it is looked at before anything is reached.
fn program(name: &str, folder: &Path) -> Launch {
    let launch = Launch::new(name, &natter_program(name)).variable("SIGNING_KEY", SIGNING_KEY);
    let data = folder.join("data").display().to_string();
    let database = "postgres://natter@127.0.0.1:1/natter";
    match name {
        "natter" => launch.variable("NATTER_DATA", data).variable("NATTER_LISTEN", "127.0.0.1:0"),
        "natter-edge" => launch.variable("EDGE_LISTEN", "127.0.0.1:0").variable("EDGE_OPS_LISTEN", "127.0.0.1:0"),
        "natter-authz" => launch
            .variable("AUTHZ_LISTEN", "127.0.0.1:0")
            .variable("AUTHZ_OPS_LISTEN", "127.0.0.1:0")
            .variable("AUTHZ_DATABASE_URL", database),
        "natter-redis-adapter" => launch.variable("REDIS_ADAPTER_OPS_LISTEN", "127.0.0.1:0"),
        _ => launch
            .variable("PERSISTENCE_LISTEN", "127.0.0.1:0")
            .variable("PERSISTENCE_OPS_LISTEN", "127.0.0.1:0")
            .variable("PERSISTENCE_DATABASE_URL", database),
    }
}

/// The program does not start, and says so in one line with this in it.
fn does_not_start(launch: &Launch, setting: &str) {
    let finished = launch.run();
    assert!(!finished.status.success(), "it started with a wrong {setting}");
    let complaint = finished.stderr.trim();
    assert!(complaint.contains(setting), "it does not name {setting}: {complaint:?}");
    assert_eq!(complaint.lines().count(), 1, "one line: {complaint}");
    assert!(!complaint.contains("panicked"), "{complaint}");
}

#[test]
fn a_url_that_is_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, setting) in [
        ("natter-edge", "NATS_URL"),
        ("natter-edge", "AUTHZ_URL"),
        ("natter-edge", "PERSISTENCE_URL"),
        ("natter-authz", "AUTHZ_DATABASE_URL"),
        ("natter-persistence", "PERSISTENCE_DATABASE_URL"),
        ("natter-persistence", "NATS_URL"),
        ("natter-redis-adapter", "NATS_URL"),
        ("natter-redis-adapter", "AUTHZ_URL"),
        ("natter-redis-adapter", "PERSISTENCE_URL"),
        ("natter-redis-adapter", "REDIS_URLS"),
    ] {
        for url in ["not a url", "ftp://127.0.0.1/", ""] {
            does_not_start(&program(name, folder.path()).variable(setting, url), setting);
        }
    }
}

#[test]
fn an_address_that_is_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, setting) in [
        ("natter", "NATTER_LISTEN"),
        ("natter-edge", "EDGE_LISTEN"),
        ("natter-edge", "EDGE_OPS_LISTEN"),
        ("natter-authz", "AUTHZ_LISTEN"),
        ("natter-persistence", "PERSISTENCE_LISTEN"),
        ("natter-redis-adapter", "REDIS_ADAPTER_OPS_LISTEN"),
    ] {
        does_not_start(&program(name, folder.path()).variable(setting, "nowhere:http"), setting);
    }
}

#[test]
fn a_port_that_is_taken() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound address").to_string();
    for (name, setting) in [
        ("natter", "NATTER_LISTEN"),
        ("natter", "NATTER_OPS_LISTEN"),
        ("natter-edge", "EDGE_LISTEN"),
        ("natter-edge", "EDGE_OPS_LISTEN"),
        ("natter-authz", "AUTHZ_LISTEN"),
        ("natter-authz", "AUTHZ_OPS_LISTEN"),
        ("natter-persistence", "PERSISTENCE_LISTEN"),
        ("natter-persistence", "PERSISTENCE_OPS_LISTEN"),
        ("natter-redis-adapter", "REDIS_ADAPTER_OPS_LISTEN"),
    ] {
        does_not_start(&program(name, folder.path()).variable(setting, &address), setting);
    }
}

#[test]
fn traces_that_cannot_be() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["natter", "natter-edge", "natter-authz", "natter-persistence", "natter-redis-adapter"] {
        for (setting, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
            ("OTEL_RESOURCE_ATTRIBUTES", "edge-1"),
        ] {
            let launch = program(name, folder.path()).variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
            does_not_start(&launch.variable(setting, value), setting);
        }
    }
}

#[test]
fn a_secret_that_is_too_short() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["natter", "natter-edge", "natter-authz"] {
        let secret = "only-31-bytes-long-is-too-short";
        does_not_start(&program(name, folder.path()).variable("SIGNING_KEY", secret), "SIGNING_KEY");
        let finished = program(name, folder.path()).variable("SIGNING_KEY", secret).run();
        assert!(!finished.stderr.contains(secret), "the secret is not repeated");
    }
}

#[test]
fn a_secret_that_is_missing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["natter-edge", "natter-authz"] {
        does_not_start(&program(name, folder.path()).variable("SIGNING_KEY", ""), "SIGNING_KEY");
    }
}

#[test]
fn keys_that_are_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("key");
    std::fs::write(&file, "neither a key nor a set of keys").expect("a file in the temporary folder");
    let file = file.display();
    for name in ["natter", "natter-edge", "natter-authz"] {
        for (setting, value) in [
            ("SIGNING_ALGORITHM", "none".to_owned()),
            ("VERIFYING_KEYS", format!("RS256:{file}")),
            ("VERIFYING_KEYS", file.to_string()),
            ("JWKS_FILE", file.to_string()),
            ("JWKS_FILE", "/nowhere/keys.json".to_owned()),
            ("JWKS_URL", "not a url".to_owned()),
        ] {
            does_not_start(&program(name, folder.path()).variable(setting, value), setting);
        }
        // A secret is no private key.
        let launch = program(name, folder.path()).variable("SIGNING_ALGORITHM", "ES256");
        does_not_start(&launch, "SIGNING_KEY");
    }
}

#[test]
fn a_dialect_that_nobody_speaks() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, setting) in [("natter", "NATTER_DIALECT"), ("natter-edge", "EDGE_DIALECT")] {
        does_not_start(&program(name, folder.path()).variable(setting, "klingon"), setting);
    }
}

/// Root may write everywhere, so the folder is one that cannot be there: below a file.
#[test]
fn a_folder_that_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder").expect("a file in the temporary folder");
    for path in [file.join("data"), file, "/proc/natter".into()] {
        does_not_start(
            &program("natter", folder.path()).variable("NATTER_DATA", path.display().to_string()),
            "NATTER_DATA",
        );
    }
}

/// Two programs on one data folder would write over each other.
#[tokio::test]
async fn a_folder_that_another_natter_uses() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data").display().to_string();
    let mut first = natter_tests::service::Service::new("natter", "natter", "NATTER", folder.path())
        .setting("NATTER_DATA", data)
        .setting("SIGNING_KEY", SIGNING_KEY);
    first.start();
    first.is_ready().await;
    does_not_start(&program("natter", folder.path()), "NATTER_DATA");
}

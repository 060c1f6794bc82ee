use super::*;
use clap::Parser;
use opentelemetry::Key;

#[derive(Debug, Parser)]
struct Demo {
    #[command(flatten)]
    traces: TracesConfig,
}

fn config(arguments: &[&str]) -> TracesConfig {
    Demo::try_parse_from([&["demo"], arguments].concat()).unwrap().traces
}

#[tokio::test]
async fn without_an_endpoint_there_are_no_traces_and_a_wrong_one_is_refused() {
    for off in [&[][..], &["--otlp-endpoint", ""]] {
        let traces = Traces::open("natter-test", &config(off)).unwrap();
        assert!(traces.layer().is_none());
    }
    for wrong in ["collector:4317", "http://", "http://a b", "ftp://collector"] {
        let refused = Traces::open("natter-test", &config(&["--otlp-endpoint", wrong])).unwrap_err().to_string();
        assert!(refused.starts_with(ENDPOINT) && refused.contains("http://otel-collector:4317"), "{refused}");
    }
}

#[test]
fn the_samplers_are_those_that_opentelemetry_names() {
    for (name, sampler) in [
        ("always_on", "AlwaysOn"),
        ("always_off", "AlwaysOff"),
        ("traceidratio", "TraceIdRatioBased(0.25)"),
        ("parentbased_always_on", "ParentBased(AlwaysOn)"),
        ("parentbased_always_off", "ParentBased(AlwaysOff)"),
        ("parentbased_traceidratio", "ParentBased(TraceIdRatioBased(0.25))"),
    ] {
        let config = config(&["--traces-sampler", name, "--traces-sampler-arg", "0.25"]);
        assert_eq!(format!("{:?}", config.sampler.with(config.sampler_arg)), sampler);
    }
    for wrong in ["1.5", "-1", "NaN", "half"] {
        assert!(Demo::try_parse_from(["demo", &format!("--traces-sampler-arg={wrong}")]).is_err(), "{wrong}");
    }
}

#[test]
fn a_process_is_told_apart_by_its_resource() {
    let get = |resource: &Resource, key: &'static str| resource.get(&Key::new(key)).unwrap().to_string();
    let plain = resource("natter-test", &config(&[])).unwrap();
    assert_eq!(get(&plain, "service.name"), "natter-test");
    let given = ["--otel-service-name", "chat", "--otel-resource-attributes", "k8s.pod.name=edge-1, a=b=c"];
    let named = resource("natter-test", &config(&given)).unwrap();
    assert_eq!([get(&named, "service.name"), get(&named, "k8s.pod.name"), get(&named, "a")], ["chat", "edge-1", "b=c"]);
    assert_ne!(get(&plain, "service.instance.id"), get(&named, "service.instance.id"));
    let refused = resource("natter-test", &config(&["--otel-resource-attributes", "edge-1"])).unwrap_err().to_string();
    assert!(refused.starts_with("OTEL_RESOURCE_ATTRIBUTES: "), "{refused}");
}

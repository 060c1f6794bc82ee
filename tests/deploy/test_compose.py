"""docker-compose.yml: of the right form, and with what was decided for all of its services."""

import re

import yaml
from cluster import pods_named
from conftest import ROOT, compose, manifests, run

JOBS = {"nats-volume", "provision", "migrate"}


def services() -> dict[str, dict]:
    return compose()["services"]


def test_form() -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_every_service_is_shut_in() -> None:
    for name, service in services().items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port}"
        assert not {"privileged", "network_mode", "pid"} & set(service) or name == "nats-volume", name


def test_every_service_says_how_it_is() -> None:
    for name, service in services().items():
        check = service["healthcheck"]
        assert check == {"disable": True} if name in JOBS else "test" in check, name


def test_the_order_of_the_start_is_said() -> None:
    for name, service in services().items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in JOBS else "service_healthy"
            assert how == {"condition": wanted}, f"{name} on {other}"
            assert set(services()[other].get("profiles", [])) <= set(service.get("profiles", [])), f"{name} on {other}"


def test_a_service_has_time_to_end() -> None:
    for name, service in services().items():
        if name in JOBS:
            continue
        grace = int(service["stop_grace_period"].removesuffix("s"))
        drain = int(service.get("environment", {}).get("DRAIN_SECONDS", 0))
        assert grace > drain + 5, name
        if "build" in service:
            assert drain > 0 and service["ulimits"]["nofile"]["hard"] >= 65536, name


def test_profiles() -> None:
    by_profile = {name: service.get("profiles") for name, service in services().items() if "profiles" in service}
    assert by_profile == {
        "redis": ["django"], "redis-adapter": ["django"], "prometheus": ["observe"], "grafana": ["observe"],
    }
    for name in ("edge", "persistence"):
        assert services()[name]["deploy"]["replicas"] == 2


def test_images_are_pinned() -> None:
    for name, service in services().items():
        image = service["image"]
        assert "build" in service or re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", image), f"{name}: {image}"


def test_what_it_needs_from_outside_is_made_and_listed() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    needed = set(re.findall(r"\$\{([A-Z_]+)", text))
    example = variables((ROOT / ".env.example").read_text())
    made = variables(run(ROOT / "deploy/make-secrets", "env"))
    assert set(example) == set(made)
    assert not any(example.values()), "the example has no secret that somebody could leave in place"
    for name in needed - set(re.findall(r"\$\{([A-Z_]+):-", text)):
        assert name in made
        assert f"${{{name}:?" in text, f"{name} may be missing without a word"


def variables(text: str) -> dict[str, str]:
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def test_files_that_are_mounted_exist() -> None:
    for name, service in services().items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), f"{name}: {source}"
            else:
                assert source in compose()["volumes"], f"{name}: {source}"


def test_prometheus_asks_every_ops_port() -> None:
    config = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
    asked = {
        job["job_name"]: discovery["port"] for job in config["scrape_configs"] for discovery in job["dns_sd_configs"]
    }
    resources = manifests("prod")
    assert asked == {name: pods_named(resources, name).ports()["ops"] for name in asked}
    assert set(asked) == {name for name, service in services().items() if "build" in service} - JOBS
    run("promtool", "check", "config", "deploy/compose/prometheus.yml")

"""The component that switches traces on: every program gets its settings, and the way to the collector."""

import os
from pathlib import Path

import pytest
import yaml
from cluster import environment, named, pods, selects
from conftest import OVERLAYS, ROOT, manifests, run, settings

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def program(pod) -> tuple[str, ...]:
    """What runs in it, as its help is asked for."""
    name = pod.container["image"].partition(":")[0].rpartition("/")[2].removeprefix("natter-")
    return ("natter", pod.container["args"][0]) if name == "natter" else (f"natter-{name}",)


@pytest.fixture(params=OVERLAYS)
def traced(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, list[dict]]:
    paths = {part: os.path.relpath(ROOT / "k8s" / part, tmp_path) for part in (f"overlays/{request.param}", "components/tracing")}
    overlay, component = paths.values()
    kustomization = {"kind": "Kustomization", "resources": [overlay], "components": [component]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return request.param, list(yaml.safe_load_all(run("kubectl", "kustomize", tmp_path)))


def test_traces_are_off_unless_somebody_wants_them(resources: list[dict]) -> None:
    assert all(ENDPOINT not in environment(resources, pod) for pod in pods(resources))


def test_every_program_knows_where_traces_go_and_may_go_there(traced: tuple[str, list[dict]]) -> None:
    overlay, resources = traced
    (egress,) = named(resources, "NetworkPolicy", "traces")["spec"]["egress"]
    n_told = 0
    for pod in pods(resources):
        added = environment(resources, pod).keys() - environment(manifests(overlay), pod_like(pod, overlay)).keys()
        is_let = selects(named(resources, "NetworkPolicy", "traces")["spec"]["podSelector"], pod.labels)
        is_ours = pod.workload["kind"] == "Deployment" and pod.labels.get("natter.dev/ops-port") == "true"
        assert (ENDPOINT in added) == is_let == is_ours, pod.name
        if is_ours:
            assert added <= settings(*program(pod)), pod.name
            host, _, port = environment(resources, pod)[ENDPOINT].removeprefix("http://").partition(":")
            (to,) = egress["to"]
            assert host.partition(".")[2] == to["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
            assert [int(port)] == [known["port"] for known in egress["ports"]]
            n_told += 1
    assert n_told >= 3


def pod_like(pod, overlay: str):
    (same,) = (other for other in pods(manifests(overlay)) if other.name == pod.name and other.workload["kind"] == pod.workload["kind"])
    return same

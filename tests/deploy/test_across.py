"""What one resource says of another is so: names, labels, ports, Secrets, numbers that belong together."""

import json
import re

import pytest
from cluster import (
    environment, labels_of_all_pods, named, of_kind, pods, pods_named, selects,
)
from conftest import ROOT, manifests, run

# Made outside: by cert-manager or by hand, and by whoever runs Django. See docs/deploying.md.
SECRETS_FROM_ELSEWHERE = {"nats-tls", "django-redis", "django-database"}


def test_selectors_find_pods(resources: list[dict]) -> None:
    everybody = labels_of_all_pods(resources)
    for workload in of_kind(resources, "Deployment", "StatefulSet"):
        assert selects(workload["spec"]["selector"], workload["spec"]["template"]["metadata"]["labels"])
    for resource in of_kind(resources, "Deployment", "StatefulSet", "PodDisruptionBudget"):
        found = [labels for labels in everybody if selects(resource["spec"]["selector"], labels)]
        assert len(found) == 1, f"{resource['kind']} {resource['metadata']['name']} is to find its own pods only"
    for monitor in of_kind(resources, "PodMonitor"):
        assert any(selects(monitor["spec"]["selector"], labels) for labels in everybody)
    for pod in pods(resources):
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            assert selects(constraint["labelSelector"], pod.labels), pod.name


def test_every_service_leads_to_a_port(resources: list[dict]) -> None:
    for service in of_kind(resources, "Service"):
        found = [pod for pod in pods(resources) if selects({"matchLabels": service["spec"]["selector"]}, pod.labels)]
        assert len(found) == 1, service["metadata"]["name"]
        for port in service["spec"]["ports"]:
            number = found[0].ports()[port["targetPort"]]
            # A headless Service is only a name: its port is the pod's.
            assert service["spec"].get("clusterIP") != "None" or port["port"] == number


def test_every_workload_that_serves_may_be_disrupted_in_turn(resources: list[dict]) -> None:
    guarded = {budget["metadata"]["name"] for budget in of_kind(resources, "PodDisruptionBudget")}
    # Of these there is one, which would only hold up whoever empties its node.
    served = {workload["metadata"]["name"] for workload in of_kind(resources, "Deployment", "StatefulSet")}
    assert served - guarded <= {"postgres", "mirror"}


def test_routes_lead_to_a_service(resources: list[dict]) -> None:
    def has_port(name: str, port: object) -> bool:
        ports = named(resources, "Service", name)["spec"]["ports"]
        return any(port in (known["port"], known["name"]) for known in ports)

    routes = 0
    for ingress in of_kind(resources, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                assert has_port(backend["name"], backend["port"].get("name") or backend["port"]["number"])
                routes += 1
    for route in of_kind(resources, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                assert has_port(backend["name"], backend["port"])
                routes += 1
    assert routes > 0


def test_who_scales_by_itself_has_no_fixed_number(resources: list[dict]) -> None:
    scaled = []
    for scaler in of_kind(resources, "ScaledObject", "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        workload = named(resources, target["kind"], target["name"])
        assert workload is not None, target
        assert "replicas" not in workload["spec"], f"{target['name']} has replicas beside an autoscaler"
        scaled.append(target["name"])
    assert len(scaled) == len(set(scaled))
    for workload in of_kind(resources, "Deployment", "StatefulSet"):
        name = workload["metadata"]["name"]
        assert "replicas" in workload["spec"] or name in scaled, f"nobody says how many {name} there are"


def test_a_pod_has_time_to_end(resources: list[dict]) -> None:
    for pod in pods(resources):
        variables = environment(resources, pod)
        if "LOG_FORMAT" not in variables:
            continue  # Not one of ours.
        pause = pod.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        drain = int(variables["DRAIN_SECONDS"])
        assert pod.spec["terminationGracePeriodSeconds"] > pause + drain, pod.name
        assert int(variables.get("EDGE_DRAIN_SPREAD_SECONDS", 0)) < drain, pod.name


def test_whether_a_program_lives_does_not_depend_on_others(resources: list[dict]) -> None:
    for name in ("edge", "authz", "persistence"):
        container = pods_named(resources, name).container
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    for pod in pods(resources):
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            asked = pod.container.get(probe, {}).get("httpGet")
            assert asked is None or asked["port"] in pod.ports(), f"{pod.name}: {probe}"


def test_volumes_and_what_they_hold_are_there(resources: list[dict]) -> None:
    secrets, configs = made_by_script(*([] if named(resources, "StatefulSet", "postgres") else ["--no-postgres"]))
    secrets |= {f"{cluster['metadata']['name']}-app": {"uri"} for cluster in of_kind(resources, "Cluster")}
    configs |= {config["metadata"]["name"] for config in of_kind(resources, "ConfigMap")}
    used = set()
    for pod in pods(resources):
        volumes = {volume["name"] for volume in pod.spec.get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in pod.workload["spec"].get("volumeClaimTemplates", [])}
        mounted = {mount["name"] for mount in pod.container.get("volumeMounts", [])}
        assert volumes == mounted, pod.name
        assert set(references(pod.spec, "configMap", "configMapRef")) <= configs, pod.name
        for secret in references(pod.spec, "secret", "secretRef", "secretKeyRef"):
            assert secret in secrets or secret in SECRETS_FROM_ELSEWHERE, f"{pod.name}: nobody makes {secret}"
            used.add(secret)
        for variable in pod.container.get("env", []):
            key = variable.get("valueFrom", {}).get("secretKeyRef")
            if key and key["name"] in secrets:
                assert key["key"] in secrets[key["name"]], f"{pod.name}: {key}"
    optional = {"nats-redis-adapter", "nats-mirror"}  # Only beside Django.
    assert set(secrets) - used <= optional, "these Secrets are made for nobody"


def references(spec: object, *keys: str):
    """Names of the Secrets or ConfigMaps that stand under these keys."""
    if isinstance(spec, dict):
        for key, inner in spec.items():
            if key in keys and isinstance(inner, dict):
                yield inner.get("name") or inner.get("secretName")
            yield from references(inner, *keys)
    elif isinstance(spec, list):
        for inner in spec:
            yield from references(inner, *keys)


def made_by_script(*arguments: str) -> tuple[dict[str, set[str]], set[str]]:
    made = json.loads(run(ROOT / "deploy/make-secrets", "kubernetes", *arguments))["items"]
    secrets = {item["metadata"]["name"]: set(item["stringData"]) for item in made if item["kind"] == "Secret"}
    return secrets, {item["metadata"]["name"] for item in made if item["kind"] == "ConfigMap"}


def test_nats_has_room_and_knows_its_like(resources: list[dict]) -> None:
    stateful = named(resources, "StatefulSet", "nats")
    pod = pods_named(resources, "nats")
    config = named(resources, "ConfigMap", pod_config(pod))["data"]
    claim = stateful["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
    store = re.search(r"max_file_store: (\d+)Gi", config["nats.conf"])[1]
    assert int(store) <= 0.8 * int(claim.removesuffix("Gi"))
    memory = pod.container["resources"]["limits"]["memory"].removesuffix("Gi")
    collector = environment(resources, pod)["GOMEMLIMIT"].removesuffix("MiB")
    assert int(collector) <= 0.8 * 1024 * int(memory)
    lame_duck = int(re.search(r"lame_duck_duration: (\d+)s", config["nats.conf"])[1])
    assert pod.spec["terminationGracePeriodSeconds"] > lame_duck + 5

    n_servers = stateful["spec"]["replicas"]
    routes = re.findall(r'"nats://([\w.-]+):(\d+)"', config["cluster.conf"])
    if n_servers > 1:
        service = stateful["spec"]["serviceName"]
        assert routes == [(f"nats-{n}.{service}", str(pod.ports()["cluster"])) for n in range(n_servers)]
    else:
        assert not routes
    provision = pods_named(resources, "provision").container["args"]
    assert provision[:3] == ["provision", "--replicas", str(n_servers)]


def pod_config(pod) -> str:
    (name,) = (volume["configMap"]["name"] for volume in pod.spec["volumes"] if "configMap" in volume)
    return name


def test_what_the_scaler_asks_for_is_there() -> None:
    resources = manifests("prod")
    (trigger,) = named(resources, "ScaledObject", "persistence")["spec"]["triggers"]
    asked = trigger["metadata"]
    service, namespace = asked["natsServerMonitoringEndpoint"].split(".")[:2]
    assert named(resources, "Service", service)["metadata"]["namespace"] == namespace
    layout = (ROOT / "crates/log-nats/src/layout.rs").read_text()
    assert f'STREAM: &str = "{asked["stream"]}"' in layout and f'CONSUMER: &str = "{asked["consumer"]}"' in layout
    accounts = (ROOT / "k8s/base/nats/accounts.conf").read_text()
    assert re.search(rf"^  {asked['account']} {{$", accounts, re.MULTILINE)
    (trigger,) = named(resources, "ScaledObject", "edge")["spec"]["triggers"]
    limit = int(environment(resources, pods_named(resources, "edge"))["EDGE_MAX_CONNECTIONS"])
    assert int(trigger["metadata"]["threshold"]) <= limit / 2


@pytest.mark.parametrize("name", ["edge", "authz", "persistence", "redis-adapter", "mirror"])
def test_labels_are_the_recommended_ones(name: str) -> None:
    labels = pods_named(manifests("prod"), name).labels
    for label in ("name", "component", "part-of", "version", "managed-by"):
        assert f"app.kubernetes.io/{label}" in labels

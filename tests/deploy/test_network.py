"""The network policies: everything that has to be reached can be, and nothing else is open by mistake."""

import re

from cluster import Pods, environment, labels_of_all_pods, named, of_kind, pods, selects

DATABASE = 5432


def test_every_policy_selects_something(resources: list[dict]) -> None:
    everybody = labels_of_all_pods(resources)
    for policy in of_kind(resources, "NetworkPolicy"):
        spec = policy["spec"]
        assert any(selects(spec["podSelector"], labels) for labels in everybody), policy["metadata"]["name"]
        for rule in spec.get("ingress", []) + spec.get("egress", []):
            assert rule.get("ports"), f"{policy['metadata']['name']}: a rule for all ports"
            for peer in rule.get("from", []) + rule.get("to", []):
                if "namespaceSelector" not in peer:
                    assert any(selects(peer["podSelector"], labels) for labels in everybody), policy["metadata"]["name"]


def test_nothing_is_open_that_is_not_said_to_be(resources: list[dict]) -> None:
    default = named(resources, "NetworkPolicy", "default")["spec"]
    assert default["podSelector"] == {} and default["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in default
    assert [port["port"] for rule in default["egress"] for port in rule["ports"]] == [53, 53]


def test_ports_of_policies_exist(resources: list[dict]) -> None:
    for policy in of_kind(resources, "NetworkPolicy"):
        selected = [pod for pod in pods(resources) if selects(policy["spec"]["podSelector"], pod.labels)]
        for rule in policy["spec"].get("ingress", []):
            for port in rule["ports"]:
                if isinstance(port["port"], str):
                    assert all(port["port"] in pod.ports() for pod in selected), policy["metadata"]["name"]


def test_everything_that_is_asked_can_be_reached(resources: list[dict]) -> None:
    """Each address in a pod's settings is that of a Service, and both ends' policies let the call through."""
    asked = 0
    for pod in pods(resources):
        variables = environment(resources, pod)
        for name, value in variables.items():
            for host, port in re.findall(r"\w+://([\w.-]+):(\d+)", value or "") if name.endswith("_URL") else []:
                service = named(resources, "Service", host)
                assert service is not None, f"{pod.name}: {name} names {host}, which is no Service"
                (known,) = (known for known in service["spec"]["ports"] if known["port"] == int(port))
                (target,) = (
                    other for other in pods(resources)
                    if selects({"matchLabels": service["spec"]["selector"]}, other.labels)
                )
                number = target.ports()[known["targetPort"]]
                assert leaves(resources, pod.labels, target.labels, number), f"{pod.name} may not ask {host}"
                assert enters(resources, pod.labels, target, number), f"{host} does not let {pod.name} in"
                asked += 1
        if any(name.endswith("_DATABASE_URL") for name in variables):
            databases = [labels for labels in labels_of_all_pods(resources) if labels.get("natter.dev/postgres") == "true"]
            assert databases and all(leaves(resources, pod.labels, labels, DATABASE) for labels in databases), pod.name
            asked += 1
    assert asked >= 8


def test_only_edges_are_open_to_the_world(resources: list[dict]) -> None:
    stranger = {"app.kubernetes.io/name": "stranger"}
    for pod in pods(resources):
        for name, number in pod.ports().items():
            is_open = enters(resources, stranger, pod, number)
            assert is_open == (pod.name == "edge" and name == "http"), f"{pod.name}: {name}"
    for pod in pods(resources):
        outside = leaves(resources, pod.labels, stranger, 443)
        assert not outside, f"{pod.name} may ask anybody"


def enters(resources: list[dict], source: dict, target: Pods, number: int) -> bool:
    rules = rules_for(resources, target.labels, "ingress")
    names = {number} | {name for name, known in target.ports().items() if known == number}
    return any(opens(rule.get("from"), source) and names & {port["port"] for port in rule["ports"]} for rule in rules)


def leaves(resources: list[dict], source: dict, target: dict, number: int) -> bool:
    rules = rules_for(resources, source, "egress")
    return any(opens(rule.get("to"), target) and number in {port["port"] for port in rule["ports"]} for rule in rules)


def rules_for(resources: list[dict], labels: dict, direction: str) -> list[dict]:
    policies = [policy["spec"] for policy in of_kind(resources, "NetworkPolicy")]
    return [rule for spec in policies if selects(spec["podSelector"], labels) for rule in spec.get(direction, [])]


def opens(peers: list[dict] | None, labels: dict) -> bool:
    if peers is None:
        return True
    return any("namespaceSelector" not in peer and selects(peer["podSelector"], labels) for peer in peers)

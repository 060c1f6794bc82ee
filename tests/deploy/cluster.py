"""The rendered resources as a cluster would see them: which pods there are, and what they have."""

from dataclasses import dataclass

WORKLOADS = ["Deployment", "StatefulSet", "Job"]


@dataclass
class Pods:
    """The pods of one workload."""

    workload: dict
    labels: dict
    spec: dict

    @property
    def name(self) -> str:
        return self.workload["metadata"]["name"]

    @property
    def container(self) -> dict:
        (container,) = self.spec["containers"]
        return container

    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", [])}


def of_kind(resources: list[dict], *kinds: str) -> list[dict]:
    return [resource for resource in resources if resource["kind"] in kinds]


def named(resources: list[dict], kind: str, name: str) -> dict | None:
    found = [resource for resource in of_kind(resources, kind) if resource["metadata"]["name"] == name]
    return found[0] if found else None


def pods(resources: list[dict]) -> list[Pods]:
    return [
        Pods(workload, workload["spec"]["template"]["metadata"]["labels"], workload["spec"]["template"]["spec"])
        for workload in of_kind(resources, *WORKLOADS)
    ]


def pods_named(resources: list[dict], name: str) -> Pods:
    (found,) = (pod for pod in pods(resources) if pod.name == name)
    return found


def labels_of_all_pods(resources: list[dict]) -> list[dict]:
    """Also of those that the Postgres operator makes."""
    made = [
        {"cnpg.io/cluster": cluster["metadata"]["name"], **cluster["spec"]["inheritedMetadata"]["labels"]}
        for cluster in of_kind(resources, "Cluster")
    ]
    return [pod.labels for pod in pods(resources)] + made


def selects(selector: dict, labels: dict) -> bool:
    assert set(selector) <= {"matchLabels"}, f"this check does not know {selector}"
    return selector.get("matchLabels", {}).items() <= labels.items()


def environment(resources: list[dict], pod: Pods) -> dict[str, object]:
    """Variable by variable; what comes from a Secret is None."""
    variables = {}
    for source in pod.container.get("envFrom", []):
        name = source["configMapRef"]["name"]
        config = named(resources, "ConfigMap", name)
        # The public keys are not in the repository: deploy/make-secrets makes them.
        variables |= config["data"] if config else {}
    for variable in pod.container.get("env", []):
        variables[variable["name"]] = variable.get("value")
    return variables

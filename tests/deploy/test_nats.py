"""NATS takes its configuration, as every deployment has it."""

import json
import subprocess

import pytest
from cluster import named, pods_named
from conftest import ROOT, manifests, run
from test_across import pod_config


@pytest.fixture
def users() -> dict[str, str]:
    made = json.loads(run(ROOT / "deploy/make-secrets", "kubernetes"))["items"]
    return named(made, "ConfigMap", "nats-users")["data"]


def accepts(folder, users: dict[str, str]) -> subprocess.CompletedProcess:
    import os

    server = os.environ["NATS_SERVER"]
    environment = {"POD_NAME": "nats-0", **users}
    command = [server, "-t", "--config", folder / "nats.conf"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def certificate(folder) -> None:
    run(
        "openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "1", "-subj", "/CN=nats",
        "-keyout", folder / "tls.key", "-out", folder / "tls.crt",
    )
    (folder / "ca.crt").write_bytes((folder / "tls.crt").read_bytes())


def test_kubernetes(overlay: str, users: dict[str, str], tmp_path) -> None:
    resources = manifests(overlay)
    certificate(tmp_path)
    for name, text in named(resources, "ConfigMap", pod_config(pods_named(resources, "nats")))["data"].items():
        (tmp_path / name).write_text(text.replace("/etc/nats-tls", str(tmp_path)))
    done = accepts(tmp_path, users)
    assert done.returncode == 0, done.stderr


def test_compose(users: dict[str, str], tmp_path) -> None:
    for source in ("deploy/compose/nats.conf", "k8s/base/nats/accounts.conf"):
        (tmp_path / source.rpartition("/")[2]).write_text((ROOT / source).read_text())
    done = accepts(tmp_path, users)
    assert done.returncode == 0, done.stderr
    for user in users:
        fewer = {name: key for name, key in users.items() if name != user}
        assert user in accepts(tmp_path, fewer).stderr, f"it starts without {user}"


def test_production_speaks_tls_only() -> None:
    resources = manifests("prod")
    config = named(resources, "ConfigMap", pod_config(pods_named(resources, "nats")))["data"]
    assert "tls {" in config["tls.conf"] and "verify: true" in config["cluster-tls.conf"]
    (client,) = (
        item["data"] for item in resources
        if item["kind"] == "ConfigMap" and item["metadata"]["name"].startswith("nats-client")
    )
    assert client["NATS_URL"].startswith("tls://") and client["NATS_CA_FILE"]

"""What the checks look at: the rendered overlays, and the programs' own help."""

import functools
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ["dev", "prod"]
PROGRAMS = ["natter-edge", "natter-authz", "natter-persistence", "natter-redis-adapter", "natter"]


def run(*command: object, **options: object) -> str:
    """What a program prints. It must succeed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT, **options)
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}{done.stderr}"
    return done.stdout


@functools.cache
def rendered(overlay: str) -> str:
    """The overlay as it would be applied."""
    return run("kubectl", "kustomize", ROOT / "k8s/overlays" / overlay)


@functools.cache
def manifests(overlay: str) -> list[dict]:
    return list(yaml.safe_load_all(rendered(overlay)))


@functools.cache
def compose() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@functools.cache
def settings(program: str, *command: str) -> set[str]:
    """The environment variables that a program says it reads."""
    path = ROOT / "target/debug" / program
    assert path.is_file(), f"{path} is missing: cargo build --workspace --bins"
    return set(re.findall(r"\[env: ([A-Z0-9_]+)", run(path, *command, "--help", env={"COLUMNS": "1000"})))


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def resources(overlay: str) -> list[dict]:
    return manifests(overlay)

"""The Dockerfile, as far as it can be checked without an engine."""

import re
import tomllib

from conftest import ROOT, run


def test_lint() -> None:
    run("hadolint", "Dockerfile")
    run(
        "checkov", "--config-file", "tests/deploy/checkov.yaml", "--framework", "dockerfile", "--file", "Dockerfile",
    )


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


def test_the_toolchain_is_recent_enough() -> None:
    wanted = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    image = re.search(r"RUST_IMAGE=rust:([\d.]+)-", dockerfile())[1]
    assert image.startswith(wanted)


def test_the_program_finds_the_libraries_it_was_built_with() -> None:
    release = re.search(r"RUST_IMAGE=rust:[\d.]+-slim-(\w+)", dockerfile())[1]
    runtime = re.search(r"RUNTIME_IMAGE=\S+debian(\d+):", dockerfile())[1]
    assert {"bookworm": "12", "trixie": "13"}[release] == runtime


def test_every_program_is_built() -> None:
    built = set(re.findall(r"--package (\S+)", dockerfile()))
    programs = {path.parent.name for path in ROOT.glob("services/*/Cargo.toml")}
    assert built == {"natter", *(f"natter-{name}" for name in programs - {"natter"})}
    for name in programs:
        manifest = tomllib.loads((ROOT / f"services/{name}/Cargo.toml").read_text())
        assert manifest["package"]["name"] in built


def test_what_the_build_needs_is_in_its_context() -> None:
    """Every member of the workspace, and every file that one of them includes."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    assert "*" in ignored
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
    for member in workspace["members"]:
        folder = member.removesuffix("/*")
        assert folder in kept or f"{folder}/src" in kept and f"{folder}/Cargo.toml" in kept, member
    assert {"Cargo.toml", "Cargo.lock"} <= set(kept)
    for source in [*ROOT.glob("services/*/src/**/*.rs"), *ROOT.glob("crates/*/src/**/*.rs")]:
        code = source.read_text().split("#[cfg(test)]")[0]
        for name in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', code):
            included = (source.parent / name).resolve().relative_to(ROOT)
            assert included.parts[0] in kept and not included.name.endswith(".md"), f"{source}: {name}"

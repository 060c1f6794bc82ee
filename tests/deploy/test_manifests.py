"""Each rendered resource is one that Kubernetes, or the operator that it is for, takes."""

import json
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml
from conftest import ROOT, run

KUBERNETES = "1.37"
SCHEMAS = Path(__file__).parent / "schemas"


def own_schema(resource: dict) -> dict | None:
    path = SCHEMAS / f"{resource['kind']}.yaml"
    return yaml.safe_load(path.read_text()) if path.is_file() else None


def test_every_resource_is_valid(resources: list[dict]) -> None:
    seen_own = set()
    for resource in resources:
        schema = own_schema(resource)
        if schema is None:
            # An unknown kind raises too.
            kubernetes_validate.validate(resource, KUBERNETES, strict=True)
        else:
            jsonschema.validate(resource, schema)
            seen_own.add(resource["kind"])
    names = [(resource["kind"], resource["metadata"]["name"]) for resource in resources]
    assert len(names) == len(set(names))


def test_every_schema_of_ours_is_used_and_strict() -> None:
    from conftest import manifests

    kinds = {resource["kind"] for resource in manifests("prod")}
    for path in SCHEMAS.iterdir():
        assert path.stem in kinds, f"nothing is a {path.stem}"
        loose = list(open_objects(yaml.safe_load(path.read_text()), path.stem))
        assert not loose, f"these take any property: {loose}"


def open_objects(schema: object, where: str):
    """Places in a schema where an unknown property would pass."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("additionalProperties", True) is True:
            yield where
        for key, inner in schema.items():
            yield from open_objects(inner, f"{where}.{key}")
    elif isinstance(schema, list):
        for number, inner in enumerate(schema):
            yield from open_objects(inner, f"{where}.{number}")


def test_a_wrong_property_would_be_noticed(resources: list[dict]) -> None:
    """The check of the check."""
    for resource in resources:
        wrong = json.loads(json.dumps(resource))
        wrong.setdefault("spec", {})["nonesuch"] = 1
        schema = own_schema(resource)
        try:
            if schema is None:
                if resource["kind"] in ("ConfigMap", "ServiceAccount"):
                    wrong["nonesuch"] = 1
                kubernetes_validate.validate(wrong, KUBERNETES, strict=True)
            else:
                jsonschema.validate(wrong, schema)
        except (jsonschema.ValidationError, kubernetes_validate.ValidationError):
            continue
        raise AssertionError(f"{resource['kind']} takes anything")


def test_style() -> None:
    run("yamllint", "--strict", "docker-compose.yml", "k8s", "deploy", "tests/deploy")


def test_good_practice(overlay: str, tmp_path: Path) -> None:
    """checkov; what is skipped is explained in its settings, or beside the resource."""
    from conftest import rendered

    file = tmp_path / f"{overlay}.yaml"
    file.write_text(rendered(overlay))
    run("checkov", "--config-file", ROOT / "tests/deploy/checkov.yaml", "--framework", "kubernetes", "--file", file)

"""Rules that Prometheus takes and that do what they say, dashboards that ask what can be answered, a page per alert."""

import functools
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, run

MONITORING = ROOT / "k8s/components/monitoring"
RUNBOOKS = ROOT / "docs/runbooks"
RULES = {
    "alerts": MONITORING / "alerts.yaml",
    "django": ROOT / "k8s/components/django/alerts.yaml",
    "objectives": MONITORING / "objectives.yaml",
}
SECTIONS = ["## What it means", "## How to see it", "## What to do"]


@functools.cache
def groups(name: str) -> list[dict]:
    return yaml.safe_load(RULES[name].read_text())["spec"]["groups"]


def rules() -> list[dict]:
    return [rule for name in RULES for group in groups(name) for rule in group["rules"]]


def alerts() -> set[str]:
    return {rule["alert"] for rule in rules() if "alert" in rule}


@pytest.mark.parametrize("name", RULES)
def test_rules_do_what_they_say(name: str, tmp_path: Path) -> None:
    plain = tmp_path / f"{name}.yaml"
    plain.write_text(yaml.safe_dump({"groups": groups(name)}))
    run("promtool", "check", "rules", "--lint-fatal", plain)
    test = f"{name}_test.yaml"
    shutil.copy(ROOT / "tests/deploy/rules" / test, tmp_path)
    run("promtool", "test", "rules", tmp_path / test)


def test_every_alert_is_tested_both_ways() -> None:
    fired, quiet = set(), set()
    for name in RULES:
        tests = yaml.safe_load((ROOT / f"tests/deploy/rules/{name}_test.yaml").read_text())["tests"]
        for told in (told for test in tests for told in test["alert_rule_test"]):
            (fired if told["exp_alerts"] else quiet).add(told["alertname"])
    # Those of the objectives are quiet where an hour is not too bad; the store's in its second test.
    assert fired == alerts() and quiet == alerts()


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("Natter*.md")}
    assert pages == alerts()
    for rule in rules():
        if "alert" in rule:
            assert rule["annotations"]["runbook"] == f"docs/runbooks/{rule['alert']}.md"
    for page in pages:
        lines = (RUNBOOKS / f"{page}.md").read_text().splitlines()
        assert lines[0] == f"# {page}"
        assert [line for line in lines if line.startswith("## ")] == SECTIONS, page


def test_what_is_recorded_is_used_and_what_is_used_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = {name for rule in rules() for name in re.findall(r"natter:[a-z_]+:[a-z0-9_]+", rule["expr"])}
    assert recorded == used


def dashboards() -> dict[str, dict]:
    return {path.name: json.loads(path.read_text()) for path in (MONITORING / "dashboards").glob("*.json")}


def test_every_dashboard_is_delivered() -> None:
    listed = yaml.safe_load((MONITORING / "kustomization.yaml").read_text())["configMapGenerator"][0]["files"]
    assert sorted(listed) == sorted(f"dashboards/{name}" for name in dashboards())
    uids = [dashboard["uid"] for dashboard in dashboards().values()]
    assert len(uids) == len(set(uids))


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_dashboards_ask_what_prometheus_understands(name: str, tmp_path: Path) -> None:
    asked = []
    for panel in dashboards()[name]["panels"]:
        assert panel["description"] and panel["targets"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        asked += [target["expr"] for target in panel["targets"]]
    numbered = enumerate(expression.replace("$__rate_interval", "5m") for expression in asked)
    questions = [{"record": f"question:{number}", "expr": expression} for number, expression in numbered]
    file = tmp_path / "questions.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "questions", "rules": questions}]}))
    run("promtool", "check", "rules", file)


@pytest.mark.parametrize("name", sorted(dashboards()))
def test_panels_lie_side_by_side(name: str) -> None:
    taken = set()
    for panel in dashboards()[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells

"""Alarms that people can act on; the rules themselves are run by `deploy/check-monitoring`."""

import json
import re
from typing import Any, Final

import pytest
import yaml

from tests.unit.deploy.files import DEPLOY, ROOT
from tests.unit.pnl.test_docs import documented_metrics

RULES: Final = DEPLOY / "prometheus" / "rules"
OTHERS: Final = {
    *("process_start_time_seconds", "process_resident_memory_bytes"),
    *("predict_linear", "histogram_quantile"),
}
THEIRS: Final = ("prometheus_", "alertmanager_")


def rules(kind: str) -> dict[str, dict[str, Any]]:
    """Return the rules of a kind, `alert` or `record`, by name."""
    return {
        rule[kind]: rule
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
        for rule in group["rules"]
        if kind in rule
    }


ALERTS: Final = rules("alert")
CASES: Final = [
    case
    for path in (DEPLOY / "prometheus" / "tests").glob("*.yml")
    for test in yaml.safe_load(path.read_text("utf-8"))["tests"]
    for case in test["alert_rule_test"]
]
ENTRIES: Final = re.split(
    r"^## ", (ROOT / "docs" / "runbook.md").read_text("utf-8"), flags=re.MULTILINE
)


def unknown(expression: str) -> list[str]:
    """Return the names in an expression that neither a process nor a rule gives."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|on) \([^)]*\)", "", expression)
    names = re.findall(r"[a-z_]*:[a-z0-9_:]+|[a-z]+_[a-z_]+", bare)
    known = {*rules("record"), *documented_metrics(), *OTHERS}
    return [
        name
        for name in names
        if name.removesuffix("_bucket") not in known and not name.startswith(THEIRS)
    ]


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_every_alarm_was_seen_to_fire_and_to_keep_quiet(name: str) -> None:
    """There is a case of each; that they come true is promtool's to say."""
    expected = [case["exp_alerts"] for case in CASES if case["alertname"] == name]
    assert any(expected)
    assert not all(expected)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_every_alarm_says_what_to_do(name: str) -> None:
    """Its runbook entry stands under its name, with its severity, what to look at and to do."""
    rule = ALERTS[name]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
    (entry,) = (each for each in ENTRIES if each.startswith(f"{name}\n"))
    assert f"*{rule['labels']['severity']}" in entry
    assert "* Look: " in entry
    assert "* Do: " in entry


def test_the_runbook_has_no_entry_without_an_alarm() -> None:
    """What is not raised any more is not looked up."""
    assert {entry.partition("\n")[0] for entry in ENTRIES[1:]} == set(ALERTS)


def test_rules_ask_for_what_there_is() -> None:
    """A name that nobody writes makes a rule that never fires."""
    for rule in [*ALERTS.values(), *rules("record").values()]:
        assert unknown(rule["expr"]) == []


def test_the_dashboard_asks_for_what_there_is() -> None:
    """Each panel has a title, a unit and a question that has an answer; none lies over another."""
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "contact-pnl.json").read_text("utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        place = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not taken & place
        assert at["x"] + at["w"] <= 24
        taken |= place
        assert panel["title"]
        for target in panel.get("targets", ()):
            assert unknown(target["expr"]) == []
            assert panel["fieldConfig"]["defaults"]["unit"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    (source,) = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text("utf-8")
    )["datasources"]
    assert {panel["datasource"]["uid"] for panel in board["panels"] if "targets" in panel} == {
        source["uid"]
    }


def test_every_role_that_is_watched_is_missed() -> None:
    """PnlRoleDown names each job of Prometheus that is a process of ours."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"] for job in config["scrape_configs"]} - {"prometheus", "alertmanager"}
    named = re.search(r'job=~"([a-z|]+)"', ALERTS["PnlRoleDown"]["expr"])
    assert named is not None
    assert jobs <= set(named[1].split("|"))


def test_alarms_are_routed_by_their_severity() -> None:
    """Two severities, two receivers; what is inhibited is an alarm that there is."""
    config = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text("utf-8"))
    assert {rule["labels"]["severity"] for rule in ALERTS.values()} == {"page", "ticket"}
    assert config["route"]["routes"][0]["matchers"] == ['severity="page"']
    assert {each["name"] for each in config["receivers"]} == {"now", "today"}
    text = str(config["inhibit_rules"])
    assert set(re.findall(r"Pnl\w+", text)) <= set(ALERTS)

"""What the documents say about settings and commands is what the program does."""

import re
import tomllib
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pnl.cli.app import outcome
from pnl.errors import RESTARTABLE, Exit
from pnl.metrics import Metrics
from pnl.settings import Settings
from pnl.settings_load import load
from pnl.settings_policy import Change
from tests.unit.pnl.program import ROOT

DOCS = ROOT / "docs"


def block(document: Path, language: str) -> str:
    """Return the first block of code in a language."""
    found = re.search(rf"```{language}\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_documented_settings_are_all_there_are(tmp_path: Path) -> None:
    """docs/settings.md names every section and key, and its example can be used as it stands."""
    toml = block(DOCS / "settings.md", "toml")
    (tmp_path / "pnl.toml").write_text(toml, "utf-8")
    load(tmp_path, tmp_path, {})
    shown = tomllib.loads(toml)
    for section, field in Settings.model_fields.items():
        assert section in shown
        keys = set(getattr(field.annotation, "model_fields", {}))
        assert keys <= set(shown[section] if keys else ()), section
    said = set().union(*shown["changes"])
    assert said <= {field.alias or name for name, field in Change.model_fields.items()}


def test_the_documented_defaults_are_the_defaults(tmp_path: Path) -> None:
    """A key that docs/settings.md gives a default value has that default."""
    toml = block(DOCS / "settings.md", "toml")
    (tmp_path / "pnl.toml").write_text(toml, "utf-8")
    shown = load(tmp_path, tmp_path, {}).settings
    default = Settings.model_construct()
    assert shown.reporting == default.reporting
    assert shown.server == default.server
    assert shown.limits == default.limits
    assert shown.refunds == default.refunds
    assert (
        shown.attribution.model_copy(update={"lookback_days_by_class": {}}) == default.attribution
    )
    assert shown.log.durability == default.log.durability


COMMANDS = (
    "demo", "run", "import", "simulate", "report", "explain", "verify", "doctor",
    "resume", "repair", "rebuild", "restate", "fit", "evaluate", "lift", "whatif",
    "topics apply", "topics check", "migrate up", "migrate status",
    "rates import", "rates list",
    "worker journeys", "worker sink", "worker auditor", "worker console", "worker periods",
    "worker alerts", "close",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_in_the_documents_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every option that README and docs/cli.md give a command is one that it has."""
    text = (ROOT / "README.md").read_text("utf-8") + (DOCS / "cli.md").read_text("utf-8")
    assert outcome([*command.split(), "--help"]) == 0
    known = capsys.readouterr().out
    for call in re.findall(rf"`?pnl {command}( [^`|#\n]*)", text):
        for option in re.findall(r"--[a-z-]+", call):
            assert option in known, f"pnl {command}{call}"


def test_the_documented_exit_codes_are_all_there_are() -> None:
    """docs/cli.md has a row for each code, and says truly which a supervisor starts again."""
    text = (DOCS / "cli.md").read_text("utf-8")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == set(Exit)
    assert "one that ends with 1, 3 or 5, or is killed" in text
    assert RESTARTABLE - {Exit.INTERRUPTED} == {1, 3, 5}


def documented_metrics() -> dict[str, tuple[tuple[str, ...], str]]:
    """Return what docs/metrics.md says of each metric: its labels and its type."""
    found = {}
    for line in (DOCS / "metrics.md").read_text("utf-8").splitlines():
        cells = line.split(" | ")
        for name, labels in re.findall(r"`(pnl_[a-z_]+)(?:\{([a-z,]+)\})?`", cells[0]):
            found[name] = tuple(labels.split(",")) if labels else (), cells[1]
    return found


def test_the_documented_metrics_are_all_there_are() -> None:
    """docs/metrics.md names every metric of ours with its labels and type, and no other."""
    metrics = Metrics(CollectorRegistry())
    kinds = (Counter, Gauge, Histogram)
    ours = [each for each in vars(metrics).values() if isinstance(each, kinds)]
    there = {
        each._name + ("_total" if each._type == "counter" else ""): (each._labelnames, each._type)
        for each in ours
    }
    restarts = {"pnl_worker_restarts_total": (("code",), "counter")}
    assert documented_metrics() == there | restarts


def test_no_metric_names_a_person_or_a_thing() -> None:
    """A label has few values: none is a customer, a contact, an order or an agent."""
    labels = {label for each, _ in documented_metrics().values() for label in each}
    assert labels <= {
        *("topic", "partition", "disposition", "reason", "line", "worker", "outcome", "table"),
        *("currency", "disk", "law", "figure", "route", "code", "size"),
    }


def test_documents_link_to_what_is_there() -> None:
    """A relative link in README or docs leads to a file."""
    broken = [
        f"{document.name}: {target}"
        for document in [ROOT / "README.md", *DOCS.glob("*.md")]
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text("utf-8"))
        if not target.startswith("http") and not (document.parent / target).exists()
    ]
    assert broken == []


def test_nothing_in_the_repository_needs_what_is_outside() -> None:
    """No source or test reads a path outside the repository and the temporary folder."""
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("streams", "processors", "sinks", "pnl", "tests", "bench")
        for path in (ROOT / folder).rglob("*.py")
        if ("/work" + "/") in path.read_text("utf-8")
    ]
    assert found == []

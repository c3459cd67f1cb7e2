"""The command line explains itself, and ends every mistake with one sentence."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pnl.cli.app import outcome
from pnl.cli.ending import ending
from pnl.errors import CheckFailed, Interrupted, LawBreach, UserError
from pnl.importing import ImportProblem
from processors.signal_state import StateRefused
from processors.state_codec import StateTooNew
from sinks.store_errors import Remedy, StoreError
from streams.kafka_clients import KafkaException, LibrdkafkaClients
from streams.kafka_settings import KafkaSettings
from streams.log import Busy, Fenced, LogDamaged, LogFailed

COMMANDS = (
    "demo", "run", "import", "simulate", "report", "explain", "verify", "doctor",
    "resume", "repair", "rebuild", "whatif",
    "topics apply", "topics check", "migrate up", "migrate status",
    "alerts list", "alerts why", "alerts ack", "alerts snooze", "alerts unsnooze",
    "worker journeys", "worker sink", "worker auditor", "worker console",
)  # fmt: skip


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`pnl --help` names all commands with what they do."""
    assert outcome(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [
        name
        for name in COMMANDS
        if not re.search(rf"^  {name.partition(' ')[0]} +\S", shown, re.MULTILINE)
    ] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command's help ends in an example of its own, and names the data folder."""
    assert outcome([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Example:  pnl {command}" in shown
    assert command == "simulate" or "--data DIR" in shown


def test_loading_the_command_line_loads_nothing_heavy() -> None:
    """`pnl --help` is quick because commands load what they need when they run."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, pnl.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    heavy = {"nicegui", "pydantic", "clickhouse_connect", "chdb", "pyarrow", "sqlite3", "structlog"}
    heavy |= {"confluent_kafka", "prometheus_client"}
    assert heavy & set(loaded) == set()


MISTAKES = {
    "report nonsense": "Invalid value for 'NAME': There is no report 'nonsense'; there are",
    "report statement --colour red": "No such option: --colour",
    "import orders": "Missing argument 'FILE...'",
    "topics check": "The log is a file of the data folder; this command is for [log] kind =",
    "worker journeys": "The log is a file of the data folder; this command is for [log] kind =",
    "worker journeys --processes 0": "Invalid value for '--processes': Input should be greater",
    "frobnicate": "No such command 'frobnicate'.",
    "run --port 0": "Invalid value for '--port': Input should be greater than or equal to 1",
    "demo --speed slow": "--speed must be a number above 0, or max, not 'slow'.",
    "demo --speed -3": "--speed must be a number above 0, or max, not '-3'.",
    "report statement --data nowhere": (
        "There is no data in nowhere: start with `pnl demo` or `pnl import`, or name another "
        "folder with --data."
    ),
    "import orders missing.jsonl --data x": (
        "missing.jsonl: cannot be read: No such file or directory."
    ),
    "import orders rows.csv --data x": "rows.csv: a CSV file needs a map: --map map.toml.",
    "import orders - - --data x": "Standard input (`-`) can be read once only.",
    "alerts list --since yesterday": "'yesterday' is neither a span such as 7d nor a date.",
    "alerts snooze a --for 8": "'8' is no span of time such as 30m, 8h, 2d or 1w.",
    "alerts unsnooze a --rule b": "Name either an alert or --rule and --subject.",
    "simulate --out x": "Give --orders FILE to lay contacts over, or --customers and --events.",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_2(
    arguments: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was wrong, on standard error, without a traceback; nothing on standard output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("a,b\n", "utf-8")
    assert outcome(arguments.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"pnl: {MISTAKES[arguments]}")
    assert printed.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "x") == ["rows.csv"]


def test_bad_settings_are_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that meets a bad setting names it and does nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pnl.toml").write_text("[rates]\nper_hour = 3\n", "utf-8")
    assert outcome(["run"]) == 2
    assert capsys.readouterr().err.startswith("pnl: pnl.toml: [rates] per_hour is no setting")
    assert not (tmp_path / "pnl-data").exists()


PROPERTIES = {
    "no.such.property": ("1", 'No such configuration property: "no.such.property".'),
    "security.protocol": ("tls", 'Invalid value "tls" for configuration property'),
    "message.timeout.ms": ("90000", "`message.timeout.ms` must be set <= `transaction.timeout.ms`"),
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_that_cannot_be_used_is_named(name: str) -> None:
    """The client library's own sentence, and exit 2: starting again does not help."""
    value, sentence = PROPERTIES[name]
    settings = KafkaSettings(client={"bootstrap.servers": "127.0.0.1:1", name: value})
    with pytest.raises(KafkaException) as caught:
        LibrdkafkaClients().producer(settings.transactional("journeys"), on_error=lambda _: None)
    said, code = ending(caught.value)
    assert code == 2
    assert said.startswith("[log.client] cannot be used: ")
    assert sentence in said


ENDINGS = (
    (UserError("No."), "No.", 2),
    (CheckFailed("Broken."), "Broken.", 1),
    (Interrupted("Stopped."), "Stopped.", 130),
    (ImportProblem("f: line 3: bad"), "f: line 3: bad.", 2),
    (Busy("x.write: other writers"), "took nothing just now: x.write: other writers.", 1),
    (Fenced("g"), "Another process took over; this one stopped (g).", 3),
    (LogDamaged("page 3"), "The log is damaged: page 3.", 4),
    (StateRefused("that of x is newer"), "The state is refused: that of x is newer.", 4),
    (StateTooNew("state version 9"), "The state is refused: state version 9.", 4),
    (LogFailed("commit: timed out"), "The log failed: commit: timed out.", 5),
    (StoreError("gone", 210, Remedy.RETRY), "The store did not answer: gone.", 1),
    (StoreError("no table", 60, Remedy.STOP), "The store did not answer: no table.", 6),
    (LawBreach("R1 at orders/0/3."), "R1 at orders/0/3.", 7),
    (MemoryError(), "There is not enough memory to go on.", 1),
    (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied.", 1),
    (KeyError("k"), "A bug stopped the program: KeyError: 'k'.", 1),
)


@pytest.mark.parametrize("case", ENDINGS, ids=lambda case: f"{type(case[0]).__name__}-{case[2]}")
def test_every_error_has_a_sentence_and_a_code(case: tuple[Exception, str, int]) -> None:
    """One function decides what a person reads and what a script sees."""
    error, sentence, code = case
    said, ended = ending(error)
    assert sentence in said
    assert "\n" not in said
    assert ended == code

"""Commands against a data folder, each in a process of its own, as a person runs them."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pnl.errors import Exit
from pnl.simulator.simulation import generate, write
from tests.support.waiting import PATIENCE as BUSY
from tests.unit.pnl.program import (
    EXAMPLES,
    answer,
    apart_from_periods,
    pnl,
    server,
    start,
    stop,
    until_answering,
)

STOP_SECONDS_MAX = 3.0 * BUSY
"""Three on a quiet machine."""
TOPICS = ("contacts", "resolutions", "orders", "costs")
STATEMENT_KEYS = {
    "report", "timezone", "from", "to", "currency", "as_of", "by", "filters", "lines", "totals",
    "memo", "memo_scope", "reconciliation", "bridge", "unbooked", "estimates", "payroll", "view",
    "closed_at",
}  # fmt: skip


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the events of a small simulated centre; return their folder."""
    folder = tmp_path_factory.mktemp("facts")
    write(folder, generate(customers=150, events=1500, seed=11))
    return folder


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, facts: Path) -> Path:
    """Import all of it into a folder that nobody serves; return the folder above."""
    above = tmp_path_factory.mktemp("loaded")
    for topic in TOPICS:
        rows = (facts / f"{topic}.jsonl").read_bytes().count(b"\n")
        assert answer("import", topic, facts / f"{topic}.jsonl", cwd=above) == {
            "read": rows, "applied": rows, "duplicate": 0, "late": 0, "dead_lettered": 0,
        }  # fmt: skip
    return above


def an_order(facts: Path) -> dict[str, Any]:
    """Return a sale with a product of a known customer."""
    for line in (facts / "orders.jsonl").read_text("utf-8").splitlines():
        order: dict[str, Any] = json.loads(line)
        if order["kind"] == "sale" and order.get("customer_id"):
            return order
    raise AssertionError("no sale")


def test_importing_again_changes_nothing(loaded: Path, facts: Path) -> None:
    """The same rows are duplicates, and the statement stays as it was."""
    before = answer("report", "statement", cwd=loaded)
    again = answer("import", "orders", facts / "orders.jsonl", cwd=loaded)
    assert again["applied"] == 0
    assert again["duplicate"] == again["read"] > 0
    assert answer("report", "statement", cwd=loaded) == before


def test_imports_at_the_same_time_apply_each_others_rows(
    tmp_path: Path, facts: Path, loaded: Path
) -> None:
    """Where nobody serves, whoever holds the folder applies; each counts its own rows."""
    running = {
        topic: start("import", topic, facts / f"{topic}.jsonl", "--format", "json", cwd=tmp_path)
        for topic in TOPICS
    }
    for topic, process in running.items():
        out, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        rows = (facts / f"{topic}.jsonl").read_bytes().count(b"\n")
        assert json.loads(out) == {
            "read": rows, "applied": rows, "duplicate": 0, "late": 0, "dead_lettered": 0,
        }  # fmt: skip
    together = answer("report", "statement", cwd=tmp_path)
    one_by_one = answer("report", "statement", cwd=loaded)
    assert together == one_by_one


def test_a_report_is_a_file_in_every_format(loaded: Path, tmp_path: Path) -> None:
    """Text and binary formats go to a file or a pipe; what is not an option is refused."""
    starts = {"csv": b"day,", "json": b"{", "parquet": b"PAR1", "xlsx": b"PK", "table": b"Contacts"}
    for shown, first in starts.items():
        made = tmp_path / shown
        done = pnl("report", "daily", "--format", shown, "--out", made, cwd=loaded)
        assert done.returncode == 0, done.stderr
        assert made.read_bytes().startswith(first)
    assert "DEF-RPC" in pnl("report", "daily", "--define", cwd=loaded).stdout
    done = pnl("report", "daily", "--set", "n=1", cwd=loaded)
    assert (done.returncode, "daily has no option 'n'" in done.stderr) == (2, True)
    done = pnl("report", "nosuch", cwd=loaded)
    assert (done.returncode, "statement, contacts, daily" in done.stderr) == (2, True)


def test_what_was_appended_and_not_awaited_is_applied_before_a_report(
    tmp_path: Path, facts: Path
) -> None:
    """A figure is never of less than what was imported."""
    contacts = facts / "contacts.jsonl"
    counts = answer("import", "contacts", contacts, "--no-wait", cwd=tmp_path)
    assert (counts["read"] > 0, counts["applied"]) == (True, None)
    waiting = {each["check"]: each for each in answer("doctor", cwd=tmp_path)}["progress"]
    assert waiting["text"].startswith(f"{counts['read']:,} records not applied")
    assert answer("report", "contacts", cwd=tmp_path)["total"]["handled"] > 0


def test_bad_rows_are_counted_and_told(loaded: Path, tmp_path: Path) -> None:
    """Rows that are no records end as dead letters, named by file and line."""
    (tmp_path / "bad.jsonl").write_text('{"order_id": 1}\nnot json\n', "utf-8")
    done = pnl("import", "orders", tmp_path / "bad.jsonl", "--format", "json", cwd=loaded)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "read": 2, "applied": 0, "duplicate": 0, "late": 0, "dead_lettered": 2,
    }  # fmt: skip
    assert "bad.jsonl: line 1: " in done.stderr
    assert "bad.jsonl: line 2: " in done.stderr


def test_standard_input_can_be_imported(loaded: Path, facts: Path) -> None:
    """`-` reads standard input."""
    process = start("import", "costs", "-", "--format", "json", cwd=loaded, stdin=True)
    out, _ = process.communicate((facts / "costs.jsonl").read_text("utf-8"), timeout=120)
    assert process.returncode == 0
    assert json.loads(out)["duplicate"] == json.loads(out)["read"] > 0


def test_the_statement_as_json_keeps_its_contract(loaded: Path) -> None:
    """Every line, total and memo is there, zero included, with integers and a currency."""
    statement = answer("report", "statement", "--by", "queue", cwd=loaded)
    assert set(statement) == STATEMENT_KEYS
    assert statement["currency"] == "GBP"
    assert [line["line"] for line in statement["lines"]] == [
        "A1a", "A1b", "A2a", "A2b", "A2c", "A3", "A4", "A5", "B",
        "C1", "C2", "C3", "C4", "C5", "C6", "C7",
    ]  # fmt: skip
    assert all(set(line) >= {"title", "basis", "groups"} for line in statement["lines"])
    for line in statement["lines"]:
        assert sum(group["amount_minor"] for group in line["groups"]) == line["amount_minor"]
    assert [each["total"] for each in statement["totals"]] == ["A", "B", "C", "booked_result"]
    assert [each["memo"] for each in statement["memo"]] == [f"M{n}" for n in range(1, 10)]
    assert set(statement["reconciliation"]) == {
        "orders_minor", "refunds_minor", "adjustments_minor", "net_minor",
    }  # fmt: skip


def test_contacts_as_json_keep_their_contract(loaded: Path) -> None:
    """A row per key; by contact, a row per chain."""
    keys = {
        "key", "handled", "abandoned", "net_credit_minor", "fee_minor", "cost_minor",
        "revenue_per_contact_minor", "matured_ppm",
    }  # fmt: skip
    by_queue = answer("report", "contacts", "--by", "queue", cwd=loaded)
    assert all(set(row) == keys and set(row["key"]) == {"queue"} for row in by_queue["rows"])
    by_contact = answer("report", "contacts", "--by", "contact", cwd=loaded)
    assert len(by_contact["rows"]) > len(by_queue["rows"]) > 1
    for figure in ("handled", "abandoned", "net_credit_minor", "fee_minor", "cost_minor"):
        of_contacts = sum(row[figure] for row in by_contact["rows"])
        assert of_contacts == sum(row[figure] for row in by_queue["rows"])


def test_an_order_is_explained_down_to_its_records(loaded: Path, facts: Path) -> None:
    """Credits and unattributed are the order's net revenue; every entry names its source."""
    order = an_order(facts)
    explained = answer("explain", "order", order["order_id"], cwd=loaded)
    assert set(explained) >= {
        "order_id", "currency", "gross_minor", "net_minor", "unattributed_minor", "model",
        "revision", "credits", "entries",
    }  # fmt: skip
    credited = sum(credit["credit_minor"] for credit in explained["credits"])
    assert credited + explained["unattributed_minor"] == explained["net_minor"]
    for entry in explained["entries"]:
        assert set(entry) >= {"line", "amount_minor", "effective_at", "booked_at", "cause"}
        assert set(entry["source"]) == {"topic", "partition", "offset"}
    other = answer("explain", "order", order["order_id"], "--model", "linear", cwd=loaded)
    assert (other["model"], other["booked"]) == ("linear", False)


def test_what_is_not_in_the_books_is_a_mistake(loaded: Path) -> None:
    """An unknown id is named, exit 2."""
    for what in ("order", "contact"):
        done = pnl("explain", what, "nobody-knows", cwd=loaded)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"pnl: There is no {what} 'nobody-knows' in the books")


QUESTIONS = {
    "--by colour": "colour",
    "--month 2026-13": "--month must look like 2026-04, not '2026-13'.",
    "--from 2026-02-01 --to 2026-01-01": "--to 2026-01-01 must be later than --from 2026-02-01",
    "--currency XXQ": "--currency 'XXQ' is no ISO 4217 code such as GBP.",
    "--where colour=red": "--where 'colour=red' must be DIM=VALUE",
}


@pytest.mark.parametrize("options", QUESTIONS)
def test_a_question_that_makes_no_sense_is_a_mistake(loaded: Path, options: str) -> None:
    """One sentence names the option, exit 2."""
    done = pnl("report", "statement", *options.split(), cwd=loaded)
    assert (done.returncode, done.stdout) == (2, "")
    assert QUESTIONS[options] in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_filter_takes_part_of_the_whole(loaded: Path) -> None:
    """The parts by queue, asked for one by one, are the groups of the whole."""
    whole = answer("report", "contacts", "--by", "queue", cwd=loaded)
    row = whole["rows"][0]
    part = answer(
        "report", "contacts", "--by", "queue", "--where", f"queue={row['key']['queue']}", cwd=loaded
    )
    assert part["rows"] == [row]


def test_the_stored_data_keeps_every_law(loaded: Path) -> None:
    """`pnl verify` finds nothing, and says what it looked at."""
    verified = answer("verify", cwd=loaded)
    assert verified["ok"]
    assert all(law["ok"] and law["rows"] == [] for law in verified["laws"])
    assert {"R1", "R4", "S1", "L1"} <= {law["law"] for law in verified["laws"]}


def test_the_doctor_finds_a_folder_in_order(loaded: Path) -> None:
    """Settings, program, disk, log, store and progress are looked at; warnings say what to do."""
    findings = answer("doctor", cwd=loaded)
    assert {each["check"] for each in findings} >= {
        "settings", "program", "data", "disk", "clock", "log", "store", "progress",
    }  # fmt: skip
    assert [each for each in findings if each["state"] == "fail"] == []
    assert all(each["todo"] for each in findings if each["state"] == "warn")


def test_the_doctor_names_a_damaged_log(tmp_path: Path, facts: Path) -> None:
    """A log that is no log is a failed check with what to do, not a traceback."""
    answer("import", "costs", facts / "costs.jsonl", cwd=tmp_path)
    log = tmp_path / "pnl-data" / "log.sqlite"
    log.write_bytes(b"no log at all" * 1000)
    for left in log.parent.glob("log.sqlite-*"):
        left.unlink()
    done = pnl("doctor", "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    (failed,) = [each for each in json.loads(done.stdout) if each["state"] == "fail"]
    assert "The log is damaged" in failed["text"]


def test_changed_rules_are_told_once(tmp_path: Path, facts: Path) -> None:
    """Rules that change after all that is booked are used then, and one line says so."""
    costs = facts / "costs.jsonl"
    assert pnl("import", "costs", costs, cwd=tmp_path).stderr == ""
    later = '[[changes]]\nfrom = "2999-01-01"\nrates.loaded_per_hour_minor = 1\n'
    (tmp_path / "pnl.toml").write_text(later, "utf-8")
    told = pnl("import", "costs", costs, cwd=tmp_path).stderr
    assert told.startswith("pnl: The settings that decide amounts have changed")
    assert told.count("\n") == 1
    assert pnl("import", "costs", costs, cwd=tmp_path).stderr == ""


def test_changed_rules_for_what_is_booked_are_refused(tmp_path: Path, facts: Path) -> None:
    """Nothing is appended; the sentence names the key, the date and what to do."""
    costs = facts / "costs.jsonl"
    answer("import", "costs", costs, cwd=tmp_path)
    (tmp_path / "pnl.toml").write_text("[rates]\nloaded_per_hour_minor = 1\n", "utf-8")
    refused = pnl("import", "costs", costs, cwd=tmp_path)
    assert refused.returncode == Exit.MISTAKE
    assert "[rates] loaded_per_hour_minor (3000, now 1)" in refused.stderr
    assert "pnl restate --from beginning" in refused.stderr


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """Return a folder whose path is longer than a socket's address may be."""
    folder = tmp_path / ("d" * 100) / "data"
    folder.mkdir(parents=True)
    return folder


def test_a_server_answers_and_applies_what_others_import(
    deep: Path, facts: Path, tmp_path: Path
) -> None:
    """While it runs, imports, also at the same time, and reports work; afterwards they agree."""
    with server("run", data=deep, cwd=tmp_path) as process:
        for topic in ("contacts", "resolutions", "costs"):
            done = answer("import", topic, facts / f"{topic}.jsonl", "--data", deep, cwd=tmp_path)
            assert done["applied"] == done["read"]
        orders = ("import", "orders", facts / "orders.jsonl", "--data", deep, "--format", "json")
        both = [start(*orders, cwd=tmp_path) for _ in range(2)]
        counts = [json.loads(each.communicate(timeout=120)[0]) for each in both]
        assert [each["applied"] + each["duplicate"] for each in counts] == [
            each["read"] for each in counts
        ]
        assert sum(each["applied"] for each in counts) == counts[0]["read"]
        served = answer("report", "statement", "--data", deep, cwd=tmp_path)
        assert pnl("verify", "--data", deep, cwd=tmp_path).returncode == 0
        assert pnl("run", "--data", deep, cwd=tmp_path).returncode == 1
        code, seconds = stop(process)
        assert code == 0
        assert seconds < STOP_SECONDS_MAX
    alone = answer("report", "statement", "--data", deep, cwd=tmp_path)
    assert apart_from_periods(alone) == apart_from_periods(served)
    assert not (deep / "control.sock").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_import_that_is_stopped_loses_nothing(how: signal.Signals, tmp_path: Path) -> None:
    """It stops within 3 s; importing the same file again adds what was missing."""
    source = EXAMPLES / "online_retail_II_2009_2010_invoices.csv.gz"
    arguments = ("import", "orders", source, "--map", EXAMPLES / "online_retail.toml")
    process = start(*arguments, cwd=tmp_path)
    until_answering(process, tmp_path / "pnl-data")
    code, seconds = stop(process, how)
    _, said = process.communicate()
    assert code == 130
    assert seconds < STOP_SECONDS_MAX
    assert said.startswith("pnl: Stopped. ")
    counts = answer(*arguments, cwd=tmp_path)
    assert counts["applied"] + counts["duplicate"] == counts["read"] == 28_816
    booked = answer("report", "statement", cwd=tmp_path)["reconciliation"]
    assert booked["net_minor"] == 953_948_462


WHILE_LOADING = """
import os, signal, sys
from pnl.cli import main
class Told:
    def find_spec(self, name, *rest):
        if name == "{module}":
            os.kill(os.getpid(), signal.{how})
sys.meta_path.insert(0, Told())
main({arguments})
"""


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    ("arguments", "code"), [(["worker", "journeys"], 0), (["doctor"], 130), (["run"], 130)]
)
def test_a_command_can_be_stopped_while_it_is_loaded(
    arguments: list[str], code: int, how: str
) -> None:
    """A worker that has not begun ends with 0, any other command as one that was not done."""
    program = WHILE_LOADING.format(how=how, arguments=arguments, module="pnl.cli.app")
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert done.stderr.count("\n") == (1 if code else 0)


@pytest.mark.parametrize("command", ["run", "demo"])
def test_a_server_told_to_stop_before_its_page_is_there_ends_well(
    command: str, tmp_path: Path
) -> None:
    """It answers commands already, so whoever starts it takes it for running."""
    arguments = [command, "--data", str(tmp_path / "pnl-data")]
    program = WHILE_LOADING.format(how="SIGTERM", arguments=arguments, module="pnl.page")
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_a_fault_in_a_thread_ends_the_process(tmp_path: Path, facts: Path) -> None:
    """When journeys fail, the import fails with one sentence, exit 1; then it goes on."""
    orders = ("import", "orders", facts / "orders.jsonl")
    done = pnl(*orders, cwd=tmp_path, PNL_FAILPOINTS="W3:1:raise")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "FailpointReached" in done.stderr
    counts = answer(*orders, cwd=tmp_path)
    assert counts["duplicate"] == counts["read"] > 0


def test_the_shipped_invoices_give_their_control_totals(tmp_path: Path) -> None:
    """Orders, refunds, adjustments and net, to the penny, by the report; and all laws hold."""
    source = EXAMPLES / "online_retail_II_2009_2010_invoices.csv.gz"
    counts = answer(
        "import", "orders", source, "--map", EXAMPLES / "online_retail.toml", cwd=tmp_path
    )
    assert counts == {
        "read": 28_816, "applied": 28_816, "duplicate": 0, "late": 0, "dead_lettered": 0,
    }  # fmt: skip
    statement = answer("report", "statement", cwd=tmp_path)
    assert statement["reconciliation"] == {
        "orders_minor": 1_030_589_201,
        "refunds_minor": -62_985_537,
        "adjustments_minor": -13_655_202,
        "net_minor": 953_948_462,
    }
    memo = {each["memo"]: each.get("amount_minor") for each in statement["memo"]}
    credited = {each["total"]: each["amount_minor"] for each in statement["totals"]}["A"]
    assert memo["M2"] == 953_948_462
    assert memo["M9"] == -13_655_202
    assert credited + memo["M1"] + memo["M9"] == memo["M2"]
    assert answer("verify", cwd=tmp_path)["ok"]


def test_the_demo_goes_on_after_it_was_stopped(tmp_path: Path) -> None:
    """Stopped, killed and started again, it loads every event once and says what it holds."""
    data = tmp_path / "pnl-data"
    for how in (signal.SIGTERM, signal.SIGKILL):
        arguments = ("demo", "--speed", "max", "--no-page", "--data", data)
        with server(*arguments[:-2], data=data, cwd=tmp_path) as process:
            code, seconds = stop(process, how)
            assert code == (0 if how is signal.SIGTERM else -how)
            assert seconds < STOP_SECONDS_MAX
    done = pnl("demo", "--speed", "max", "--no-page", "--until-loaded", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert sum(each["applied"] for each in summary["topics"].values()) == summary["events"]
    assert all(each["read"] == each["applied"] for each in summary["topics"].values())
    assert summary["reconciliation"]["adjustments_minor"] == -13_655_202
    assert answer("verify", cwd=tmp_path)["ok"]

"""The doctor: what it finds, and what it says to do."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pnl.datafolder import DataFolder
from pnl.findings import Finding, failed, render
from pnl.machine_checks import machine_findings
from pnl.settings_load import load
from streams.clock import ManualClock
from tests.unit.pnl.program import answer, pnl

NOON_MS = 1_700_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """Return a new data folder with a log file written at noon."""
    found = DataFolder(tmp_path / "data")
    found.prepare()
    found.log.touch()
    os.utime(found.log, (NOON_MS / 1000, NOON_MS / 1000))
    return found


def found(folder: DataFolder, clock: ManualClock, check: str) -> list[Finding]:
    """Return the findings of one check."""
    loaded = load(folder.path, folder.path, {})
    return [each for each in machine_findings(folder, loaded, clock) if each.check == check]


def test_settings_say_which_file_was_read(folder: DataFolder) -> None:
    """RUL-CONFIG: the doctor prints which files and variables count."""
    (folder.path / "pnl.toml").write_text("[server]\nport = 8181\n", "utf-8")
    (finding,) = found(folder, ManualClock(NOON_MS), "settings")
    assert str(folder.path / "pnl.toml") in finding.text


def test_other_rules_than_the_books_are_a_warning(folder: DataFolder) -> None:
    """Settings that would book otherwise than before are told."""
    folder.record_policy("another")
    warning = found(folder, ManualClock(NOON_MS), "settings")[1]
    assert warning.state == "warn"
    assert "version another" in warning.text


def test_a_disk_that_is_nearly_full_fails(folder: DataFolder) -> None:
    """Too little room is a failure that names the limit."""
    (folder.path / "pnl.toml").write_text("[limits]\ndisk_free_mib_min = 1000000000\n", "utf-8")
    (finding,) = found(folder, ManualClock(NOON_MS), "disk")
    assert finding.state == "fail"
    assert "disk_free_mib_min" in finding.text


def test_a_clock_that_was_set_back_is_a_warning(folder: DataFolder) -> None:
    """A log from the future says that the clock is wrong."""
    clock = ManualClock(NOON_MS)
    assert found(folder, clock, "clock")[0].state == "ok"
    clock.advance(timedelta(hours=-2))
    assert found(folder, clock, "clock")[0].state == "warn"


def test_a_folder_open_to_others_is_a_warning(folder: DataFolder) -> None:
    """What is personal is its owner's alone."""
    folder.path.chmod(0o755)
    assert [each.state for each in found(folder, ManualClock(NOON_MS), "data")] == ["ok", "warn"]


def test_the_embedded_engine_counts_where_the_store_is_embedded(folder: DataFolder) -> None:
    """With a server as the store the engine need not be installed, so the doctor asks for none."""
    (program,) = found(folder, ManualClock(NOON_MS), "program")
    assert "chdb " in program.text
    (folder.path / "pnl.toml").write_text('[store]\ndsn = "http://store:8123"\n', "utf-8")
    (program,) = found(folder, ManualClock(NOON_MS), "program")
    assert program.state == "ok"
    assert "chdb " not in program.text


def test_what_to_do_stands_below_what_is_wrong() -> None:
    """A warning is not a failure; text shows both and the advice."""
    warning = Finding(check="clock", state="warn", text="set back", todo="set it")
    failure = Finding(check="disk", state="fail", text="full")
    assert not failed([warning])
    assert failed([warning, failure])
    assert render([warning]) == "warn  clock         set back\n                    → set it"


def sale(order_id: str, customer_id: str) -> dict[str, Any]:
    """Return a sale of 10.00 GBP."""
    return {
        "event_id": order_id,
        "order_id": order_id,
        "kind": "sale",
        "occurred_at": "2024-01-02T08:00:00Z",
        "currency": "GBP",
        "lines": [{"line_id": "1", "product_class": "product", "amount_minor": 1000}],
        "customer_id": customer_id,
    }


def refund(order_id: str, customer_id: str, refund_of: str, currency: str) -> dict[str, Any]:
    """Return a refund of 1.00 of an order."""
    return sale(order_id, customer_id) | {
        "kind": "refund",
        "occurred_at": "2024-01-05T08:00:00Z",
        "currency": currency,
        "lines": [{"line_id": "1", "product_class": "product", "amount_minor": 100}],
        "refund_of": refund_of,
    }


CONTACT = {
    "event_id": "k1",
    "contact_id": "k1",
    "channel": "voice",
    "direction": "inbound",
    "kind": "service",
    "queue": "billing",
    "started_at": "2024-01-02T07:00:00Z",
    "connected_at": "2024-01-02T07:00:00Z",
    "ended_at": "2024-01-02T07:10:00Z",
    "talk_ms": 600_000,
    "hold_ms": 0,
    "wrap_ms": 0,
    "wait_ms": 0,
    "abandoned": False,
    "customer_id": "anna",
}
CHANNEL_COST = {
    "event_id": "x1",
    "kind": "channel",
    "occurred_at": "2024-01-31T00:00:00Z",
    "amount_minor": 5000,
    "currency": "GBP",
    "channel": "voice",
}


def test_data_that_a_person_should_look_at_is_told(tmp_path: Path) -> None:
    """Refunds without their order, costs counted twice, contacts nobody sent, dead letters."""
    (tmp_path / "pnl.toml").write_text("[channels.voice]\nper_contact_minor = 12\n", "utf-8")
    facts: dict[str, list[dict[str, Any]]] = {
        "contacts": [CONTACT],
        "costs": [CHANNEL_COST],
        "orders": [
            sale("o1", "anna"),
            sale("o2", "anna") | {"contact_id": "nobody-sent-it"},
            refund("r1", "anna", "o1", "EUR"),
            refund("r2", "ben", "o1", "GBP"),
            refund("r3", "anna", "never-heard-of", "GBP"),
            refund("r4", "anna", "o1", "GBP"),
            {"order_id": "broken"},
        ],
    }
    for topic, rows in facts.items():
        file = tmp_path / f"{topic}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        assert answer("import", topic, file, cwd=tmp_path)["read"] == len(rows)
    findings = {each["check"]: each for each in answer("doctor", cwd=tmp_path)}
    assert {name: each["state"] for name, each in findings.items() if each["state"] != "ok"} == {
        "dead letters": "warn", "refunds": "warn", "channel cost": "warn", "sold in": "warn",
    }  # fmt: skip
    refunds = findings["refunds"]["text"]
    assert refunds.startswith("3 refunds name an order they cannot come off: ")
    assert "r1 of o1: order in another currency" in refunds
    assert "r2 of o1: order of another customer" in refunds
    assert "r3 of never-heard-of: unknown order" in refunds
    assert "channel voice" in findings["channel cost"]["text"]
    assert "1 orders name a contact" in findings["sold in"]["text"]
    assert "missing_field 1" in findings["dead letters"]["text"]
    assert pnl("verify", cwd=tmp_path).returncode == 0

"""Periods as a person closes them, from the command line and by leaving the program alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from streams.clock import Deadline, pause
from tests.unit.pnl.program import PATIENCE, answer, pnl, server

MONTH = "2024-04"
SHIFT = {
    "event_id": "p1", "kind": "payroll", "occurred_at": "2024-04-10T17:00:00Z", "agent_id": "a1",
    "amount_minor": 40000, "currency": "GBP", "period_start": "2024-04-10T09:00:00Z",
    "period_end": "2024-04-10T17:00:00Z",
}  # fmt: skip


def call(name: str, customer: str, hour: int) -> dict[str, Any]:
    """Build half an hour's call of agent a1 on 10 April."""
    start = f"2024-04-10T{hour:02}:00:00Z"
    return {
        "event_id": f"e-{name}", "contact_id": name, "customer_id": customer, "channel": "voice",
        "direction": "inbound", "kind": "service", "queue": "billing", "agent_id": "a1",
        "started_at": start, "connected_at": start,
        "ended_at": f"2024-04-10T{hour:02}:30:00Z", "talk_ms": 1800000, "hold_ms": 0, "wrap_ms": 0,
        "wait_ms": 0, "abandoned": False,
    }  # fmt: skip


def bring(folder: Path, topic: str, *facts: dict[str, Any]) -> None:
    """Import some facts."""
    file = folder / "facts.jsonl"
    file.write_text("".join(json.dumps(fact) + "\n" for fact in facts), "utf-8")
    assert answer("import", topic, file, cwd=folder)["dead_lettered"] == 0


def bridge(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of the restatement of April by line."""
    sheet = answer("report", "restatement", "--month", MONTH, cwd=folder)
    return {row["line"]: row for row in sheet["rows"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder whose data hold a shift and a call."""
    bring(tmp_path, "costs", SHIFT)
    bring(tmp_path, "contacts", call("c1", "ann", 10))
    return tmp_path


def test_an_imported_month_is_closed_by_name_and_restated_by_what_comes_later(
    folder: Path,
) -> None:
    """Eight hours at 30.00 paid 400.00: 15.00 handled, 225.00 idle, 160.00 absorbed."""
    months = answer("close", "--list", cwd=folder)
    assert [(row["period"], row["state"]) for row in months] == [(MONTH, "imported")]
    refused = pnl("report", "statement", "--month", MONTH, "--view", "reported", cwd=folder)
    assert refused.returncode == 2
    assert "pnl close 2024-04" in refused.stderr
    assert pnl("close", MONTH, cwd=folder).stdout == "Closed: 2024-04.\n"
    bring(folder, "contacts", call("c2", "bob", 11))
    rows = bridge(folder)
    assert {line: rows[line]["reported_minor"] for line in ("C1", "C2", "C7")} == {
        "C1": -1500, "C2": -22500, "C7": -16000,
    }  # fmt: skip
    assert {line: rows[line]["late_minor"] for line in ("C1", "C2", "C7")} == {
        "C1": -1500, "C2": 1500, "C7": 0,
    }  # fmt: skip
    again = pnl("close", MONTH, cwd=folder)
    assert again.returncode == 0
    assert "is closed since" in again.stdout
    assert pnl("verify", cwd=folder).returncode == 0


def test_a_server_closes_and_keeps_figures_up_to_date(folder: Path) -> None:
    """What another command imports reaches C2 without anybody asking for it."""
    with server("run", data=folder / "pnl-data", cwd=folder):
        assert pnl("close", MONTH, cwd=folder).stdout == "Closed: 2024-04.\n"
        bring(folder, "contacts", call("c2", "bob", 11))
        deadline = Deadline(PATIENCE)
        while (rows := bridge(folder))["C2"]["late_minor"] != 1500:
            assert deadline.seconds_left(), rows
            pause(0.5)
        assert rows["C7"]["difference_minor"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give a period to close"),
        (("2024-04", "--list"), "Give a period to close"),
        (("April",), "not 'April'"),
        (("2098",), "2098 is not over"),
    ],
)
def test_what_cannot_be_closed_is_refused(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    """One sentence, exit 2, and nothing happens."""
    done = pnl("close", *arguments, cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr

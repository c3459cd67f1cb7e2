"""What a person does after an alarm, against a data folder: look, repair, let the sink go on."""

import json
from pathlib import Path

import pytest

from pnl.auditor.findings import Found
from pnl.auditor.notices import Notices, raise_alarms
from streams.clock import SystemClock
from streams.sqlite_log import SqliteLog
from tests.support.kafka_broker import free_ports
from tests.unit.pnl.program import EXAMPLES, answer, pnl, server

CONTACTS = ("import", "contacts", EXAMPLES / "contacts_small.csv")
ORDERS = ("import", "orders", EXAMPLES / "orders_small.csv")


@pytest.fixture
def halted(tmp_path: Path) -> Path:
    """Return where a data folder lies whose sink an alarm has halted, with orders to be stored."""
    answer(*CONTACTS, "--map", EXAMPLES / "contacts_small.toml", cwd=tmp_path)
    log = SqliteLog(tmp_path / "pnl-data" / "log.sqlite", clock=SystemClock())
    alarm = Found("A1", "batch 1-0-0", "the ledger holds +1 entries beyond its record")
    raise_alarms(log, [alarm], SystemClock().now_ms(), halting=True)
    log.close()
    imported = pnl(*ORDERS, "--map", EXAMPLES / "orders_small.toml", "--no-wait", cwd=tmp_path)
    assert imported.returncode == 0, imported.stderr
    return tmp_path


def test_a_halted_sink_is_told_and_figures_stay(halted: Path) -> None:
    """Verify names the alarm and counts the log alone; a report is of what was stored."""
    verified = pnl("verify", "--format", "json", cwd=halted)
    assert verified.returncode == 1
    laws = {law["law"]: law for law in json.loads(verified.stdout)["laws"]}
    assert "batch 1-0-0" in laws["A0"]["rows"][0]["halted"]
    assert laws["A1"]["ok"]
    assert "R1" not in laws
    reported = pnl("report", "statement", cwd=halted)
    assert reported.returncode == 0
    assert "halted by the auditor: A1" in reported.stderr


def test_the_sink_goes_on_for_a_reason(halted: Path) -> None:
    """Repair finds nothing torn, resume says what had halted, verify holds; a second time too."""
    assert "Nothing is torn." in pnl("repair", "--reason", "a drill", cwd=halted).stdout
    resumed = pnl("resume", "--reason", "a false alarm", cwd=halted)
    assert "A1: batch 1-0-0" in resumed.stdout
    assert answer("verify", cwd=halted)["ok"]
    again = pnl("resume", "--reason", "once more", cwd=halted)
    assert "Nothing had halted the sink." in again.stdout
    log = SqliteLog(halted / "pnl-data" / "log.sqlite", clock=SystemClock())
    assert Notices(log).halted() is None
    log.close()


def test_a_running_server_is_asked_to_resume(halted: Path) -> None:
    """The process that holds the folder lets its own sink go on."""
    data = halted / "pnl-data"
    with server("run", "--port", str(*free_ports(1)), data=data, cwd=halted):
        assert "It goes on" in pnl("resume", "--reason", "a false alarm", cwd=halted).stdout
        assert answer("verify", cwd=halted)["ok"]
        refused = pnl("repair", "--reason", "not now", cwd=halted)
        assert refused.returncode == 1
        assert "held by `pnl run" in refused.stderr

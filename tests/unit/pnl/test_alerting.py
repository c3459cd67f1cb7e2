"""`pnl alerts` as a person uses it: on a folder that nobody holds, and on one that is served."""

from pathlib import Path

import pytest

from streams.clock import Deadline, SystemClock, pause
from streams.sqlite_log import SqliteLog
from tests.support.alerts import some
from tests.support.kafka_broker import free_ports
from tests.unit.pnl.program import EXAMPLES, PATIENCE, answer, pnl, server

FIRST, SEGMENT = "aaaa000000000001", "bbbb000000000002"


@pytest.fixture
def alerted(tmp_path: Path) -> Path:
    """Return the folder of a data folder with alerts in its log."""
    contacts = ("contacts", EXAMPLES / "contacts_small.csv")
    done = pnl("import", *contacts, "--map", EXAMPLES / "contacts_small.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    log = SqliteLog(tmp_path / "pnl-data" / "log.sqlite", clock=SystemClock())
    some(log)
    log.close()
    return tmp_path


def answers(cwd: Path, alert: str) -> list[tuple[str, str]]:
    """Return what was answered to an alert, and by whom; wait for the first answer."""
    deadline = Deadline(PATIENCE)
    while not (found := answer("alerts", "why", alert, cwd=cwd)["answers"]):
        assert deadline.seconds_left(), "no answer is stored"
        pause(0.2)
    return [(each["action"], each["by"]) for each in found]


def test_alerts_are_listed_explained_and_answered(alerted: Path) -> None:
    """By whoever holds the folder, the same way; what is answered is kept with its name."""
    listed = answer("alerts", "list", "--state", "all", cwd=alerted)
    assert [each["alert_id"] for each in listed["alerts"]][:2] == [SEGMENT, FIRST]
    with server("run", "--port", str(free_ports(1)[0]), data=alerted / "pnl-data", cwd=alerted):
        assert answer("alerts", "list", "--state", "all", cwd=alerted) == listed
        why = pnl("alerts", "why", FIRST, cwd=alerted).stdout
        assert "It clears when the risk falls below" in why
        done = pnl("alerts", "snooze", SEGMENT, "--for", "2d", "--by", "Ann", cwd=alerted)
        said = f"alert {SEGMENT} shows as snoozed once signals have taken it.\n"
        assert (done.returncode, done.stdout) == (0, f"The answer is on its way: {said}")
        assert answers(alerted, SEGMENT) == [("snooze", "Ann")]
    done = pnl("alerts", "list", "--rule", "churn-custmer", cwd=alerted)
    assert done.returncode == 2
    assert (
        "There is no rule 'churn-custmer'; there are churn-customer, churn-segment" in done.stderr
    )
    done = pnl("alerts", "list", "--subject", "nobody", cwd=alerted)
    assert (done.returncode, done.stderr[:33]) == (2, "pnl: There is no subject 'nobody'")
    done = pnl("alerts", "ack", "none", cwd=alerted)
    assert (done.returncode, done.stderr[:28]) == (2, "pnl: There is no alert 'none")

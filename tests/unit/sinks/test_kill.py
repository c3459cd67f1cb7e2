"""A sink killed as `kill -9` does leaves nothing lost and nothing twice."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from processors.policy import Policy
from sinks.verify import verify
from streams.clock import ManualClock
from streams.failpoints import VARIABLE
from streams.sqlite_log import SqliteLog
from tests.support.facts import BASE, DAY, at, contact, order, refund
from tests.support.store import opened_store
from tests.support.stored import append, copy, journey

ROOT = Path(__file__).parents[3]
COPY = """
import sys
from pathlib import Path
from streams.clock import SystemClock
from streams.sqlite_log import SqliteLog
from tests.support.store import opened_store
from tests.support.stored import copy
folder = Path(sys.argv[1])
with opened_store(folder / "store") as store:
    copy(SqliteLog(folder / "log", clock=SystemClock()), store)
"""


@pytest.mark.parametrize("step", ["K0:1", "K1:3", "K2:2", "K3:1", "K4:2", "K5:1", "K6:1"])
def test_a_killed_sink_is_made_good_by_the_next(tmp_path: Path, step: str) -> None:
    """After a kill at any step, the next sink completes the store: every law holds."""
    log = SqliteLog(tmp_path / "log", clock=ManualClock(BASE + 365 * DAY))
    facts = [contact(f"c{n}", at(n), customer_id=f"k{n % 3}") for n in range(9)]
    sales = [order(f"o{n}", at(n + 1), 100 + n, customer_id=f"k{n % 3}") for n in range(9)]
    append(log, [*facts, *sales, refund("r1", "o4", at(12), 60, customer_id="k1")])
    journey(log, Policy())
    log.close()
    killed = subprocess.run(
        [sys.executable, "-c", COPY, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {VARIABLE: f"{step}:kill"},
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    log = SqliteLog(tmp_path / "log", clock=ManualClock(BASE + 365 * DAY))
    with opened_store(tmp_path / "store") as store:
        copy(log, store)
        assert verify(store) == []
        (found,) = store.query("SELECT -sum(amount_minor) AS net FROM v_ledger WHERE line = 'net'")
        assert found == {"net": sum(range(100, 109)) - 60}
    log.close()

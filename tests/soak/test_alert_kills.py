"""No alert is lost, and none told under two identities, however often any process is killed.

Marked customers complain (`bench.alert_load`), one after the other; meanwhile processes are killed
at random moments and started again: the one of `pnl run`, or the workers of a cluster. What each
has to be told is known. `SOAK_ALERT_KILLS` and `SOAK_ALERT_SEED` say how much of it.
"""

import os
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Final

import pytest

from bench.alert_load import BEFORE, append, bought, complains, faults, prepare
from pnl.errors import Exit
from streams.clock import SystemClock
from streams.log import EventLog
from tests.support.deployments import Deployment, OneProcess, Process, Workers, running
from tests.support.kafka_broker import Cluster, missing
from tests.support.receivers import Receiver, receiving
from tests.support.waiting import until

KILLS: Final = int(os.environ.get("SOAK_ALERT_KILLS", "8"))
SEED: Final = int(os.environ.get("SOAK_ALERT_SEED", "17"))
PER_KILL: Final = 12
"""Customers who complain between two kills, on average."""
END_SECONDS: Final = 120
DELIVERY: Final = ("D0", "D1", "D2")
STEPS: Final = {
    "run": ("S0", "S3", *DELIVERY),
    "journeys": ("W1", "W3", "W5", "W7", "W9", "W11"),
    "alerts": DELIVERY,
}
"""Where a part may be told to die: in a commit; before an alert is sent, after it, after that is
committed. Of signals on Faust only moments are known."""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300 + 30 * KILLS)]


def feed(log: EventLog, kills: list[str], count: int, ended: Event) -> None:
    """Let customers complain in step with the kills: something is always on its way."""
    for number in range(count):
        while not ended.wait(0.05):
            if number < (len(kills) + 2) * PER_KILL:
                break
        append(log, [complains(number, SystemClock().now_ms())])


def armed(part: str, dice: Random) -> str:
    """Return a step to die at, every other time: else a part is killed at a moment."""
    if part not in STEPS or dice.random() < 0.5:
        return ""
    return f"{dice.choice(STEPS[part])}:{dice.randrange(1, 12)}:kill"


def kill_one(
    deployment: Deployment, processes: dict[str, Process], part: str, failpoints: str
) -> None:
    """Kill a part, unless a step did, and start it again; it never ends otherwise.

    But for the one way that says a restart goes on from there: then a supervisor starts it anew.
    """
    processes[part].kill()
    assert processes[part].wait() in (-9, Exit.LOG_FAILED), f"{part} had ended by itself"
    processes[part] = deployment.start(part, failpoints)


def supervise(deployment: Deployment, processes: dict[str, Process]) -> None:
    """Start anew what ended for that: Faust may stand still; it says so and ends."""
    for part, process in processes.items():
        if process.poll() == Exit.LOG_FAILED:
            processes[part] = deployment.start(part)


def play(deployment: Deployment, receiver: Receiver) -> None:
    """Let customers complain and processes die; hold what was told against what was due."""
    dice, ended, moment = Random(SEED), Event(), Event()
    kills: list[str] = []
    count = KILLS * PER_KILL
    long_ago = SystemClock().now_ms() - BEFORE
    append(deployment.log, [bought(number, long_ago) for number in range(count)])
    feeder = Thread(target=feed, args=(deployment.log, kills, count, ended), daemon=True)
    with running(deployment) as processes:
        feeder.start()
        try:
            while len(kills) < KILLS:
                moment.wait(dice.uniform(1.0, 10.0))
                part = dice.choice(deployment.parts)
                kill_one(deployment, processes, part, armed(part, dice))
                kills.append(part)
            for part in deployment.parts:  # one that is armed may die once more
                kill_one(deployment, processes, part, "")
            feeder.join()

            def all_told() -> bool:
                supervise(deployment, processes)
                return not faults(deployment.log, receiver.ids, count)

            until(all_told, END_SECONDS, "all told")
        except TimeoutError as late:
            late.add_note(str(faults(deployment.log, receiver.ids, count)))
            raise
        finally:
            ended.set()
    again = len(receiver.ids) - len(set(receiver.ids))
    bodies = {(each.id, each.body) for each in receiver.taken}
    print(f"alerts: seed {SEED}, {count} due, {len(kills)} kills, {again} delivered again")
    assert len(bodies) == len(set(receiver.ids)) == count


def test_no_alert_is_lost_when_the_one_process_is_killed_again_and_again(tmp_path: Path) -> None:
    """Everything in one process, on SQLite and chDB."""
    with receiving() as receiver:
        prepare(tmp_path, receiver.url)
        deployment = OneProcess(tmp_path)
        play(deployment, receiver)
        deployment.log.close()


@pytest.mark.skipif(
    missing() is not None and os.environ.get("CI") != "true", reason=f"not run: {missing()}"
)
def test_no_alert_is_lost_when_any_worker_is_killed_again_and_again(tmp_path: Path) -> None:
    """Journeys, signals on Faust, delivery: each its process, on a real broker."""
    with receiving() as receiver, Cluster(tmp_path / "kafka") as cluster:
        folder = tmp_path / "data"
        folder.mkdir()
        prepare(folder, receiver.url)
        deployment = Workers(folder, cluster)
        play(deployment, receiver)
        deployment.log.close()

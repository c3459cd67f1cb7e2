"""Workers killed at random moments and steps under load, on a real broker, with a reader watching.

Everything that was committed is held against the naive oracle, and once more in a store behind the
real sink. `PNL_KAFKA_SOAK_EVENTS`, `_KILLS` and `_SEED` say how much of it.
"""

import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Final

import pytest

from sinks.store import Store
from tests.kafka.crew import Worker
from tests.kafka.into_store import assert_stored, copy_all
from tests.kafka.load import Sent, load, send
from tests.kafka.stage import Stage, stage_on
from tests.support.kafka_broker import Cluster, missing
from tests.support.store import store as store
from tests.support.waiting import until

EVENTS: Final = int(os.environ.get("PNL_KAFKA_SOAK_EVENTS", "200000"))
KILLS: Final = int(os.environ.get("PNL_KAFKA_SOAK_KILLS", "20"))
SEED: Final = int(os.environ.get("PNL_KAFKA_SOAK_SEED", "11"))
EVENTS_PER_CUSTOMER: Final = 12.5
SLOTS: Final = ("0", "1", "2")
PARTITIONS: Final = 6
STEPS: Final = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10", "W11")
BETWEEN_SECONDS: Final = (0.5, 4.0)
CHUNK: Final = 1_000
RECORDS_MAX: Final = "1000"
LIMIT_SECONDS: Final = 3_600

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(LIMIT_SECONDS),
    pytest.mark.skipif(
        missing() is not None and os.environ.get("CI") != "true", reason=f"not run: {missing()}"
    ),
]


def feed(stage: Stage, held: list[Sent], kills: Callable[[], int], ended: Event) -> None:
    """Append the input in step with the kills, so that there is always work."""
    for at in range(0, len(held), CHUNK):
        share = at / len(held)
        until(lambda: ended.is_set() or kills() >= int(share * KILLS) - 2, LIMIT_SECONDS, "kills")  # noqa: B023
        send(stage.cluster.bootstrap, stage.prefix, held[at : at + CHUNK])


def armed(dice: Random) -> str:
    """Return a step to die at, every other time: else the worker is killed at a moment."""
    return f"{dice.choice(STEPS)}:{dice.randrange(1, 12)}:kill" if dice.random() < 0.5 else ""


def start(stage: Stage, slot: str, failpoints: str = "") -> Worker:
    """Start a worker whose batches are as large as what came meanwhile, up to a bound."""
    return stage.crew.start(slot, failpoints, records_max=RECORDS_MAX)


def kill_at_random(stage: Stage, dice: Random, killed: list[str]) -> list[Worker]:
    """Kill one worker after the other and start it again; return those that are left."""
    crew = {slot: start(stage, slot, armed(dice)) for slot in SLOTS}
    moment = Event()
    while len(killed) < KILLS:
        moment.wait(dice.uniform(*BETWEEN_SECONDS))
        dead = [slot for slot, worker in crew.items() if worker.code is not None]
        if not dead:
            slot = dice.choice(SLOTS)
            crew[slot].kill()
            dead = [slot]
        for slot in dead:
            assert crew[slot].code == -9, crew[slot].said
            killed.append(slot)
            crew[slot] = start(stage, slot, armed(dice) if len(killed) < KILLS - 3 else "")
    for slot, worker in crew.items():
        worker.kill()
        crew[slot] = start(stage, slot)
    return list(crew.values())


def test_workers_killed_again_and_again_lose_and_double_nothing(
    tmp_path: Path, store: Store
) -> None:
    """Not one minor unit is lost, doubled or misattributed, in the log or in the store."""
    held = load(SEED, round(EVENTS / EVENTS_PER_CUSTOMER))
    killed: list[str] = []
    ended = Event()
    with (
        Cluster(tmp_path / "kafka") as cluster,
        stage_on(cluster, tmp_path, partitions=PARTITIONS) as stage,
    ):
        feeder = Thread(target=feed, args=(stage, held, lambda: len(killed), ended), daemon=True)
        feeder.start()
        try:
            crew = kill_at_random(stage, Random(SEED), killed)
        finally:
            ended.set()
        feeder.join()
        found = stage.finish(*crew)
        copy_all(stage.log, store)
        assert_stored(store, found)
        print(
            f"soak on Kafka: seed {SEED}, {len(held)} events, {len(killed)} kills and"
            f" {len(SLOTS)} at the end, {stage.watcher.batches} batches seen whole"
        )
    assert len(found.inputs) == len(held)

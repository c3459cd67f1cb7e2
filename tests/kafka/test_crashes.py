"""A worker breaks at each step of a batch, in each way; its successor makes it good, exactly.

W0-W13 are the steps of docs/reliability.md. At each of them one worker is killed, one fails, and
one is frozen for longer than its session lasts, replaced, and let go on: it must write nothing.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from pnl.errors import Exit
from tests.kafka.crew import Worker
from tests.kafka.load import load
from tests.kafka.stage import Stage, at_once, stage_on
from tests.support.kafka_broker import Cluster
from tests.support.kafka_proxy import Proxy
from tests.support.kafka_wire import Api

SEED: Final = int(os.environ.get("PNL_CRASH_SEED", "1"))
ROUNDS: Final = int(os.environ.get("PNL_CRASH_ROUNDS", "1"))
CUSTOMERS: Final = 40
FEED_MAX: Final = 20
STEPS: Final = {
    "W0": 3,
    "W1": 2,
    "W2": 2,
    "W3": 2,
    "W4": 2,
    "W5": 2,
    "W6": 2,
    "W7": 2,
    "W8": 2,
    "W9": 1,
    "W10": 1,
    "W11": 1,
    "W12": 1,
    "W13": 1,
}
"""Each step, and which time it is reached the worker breaks there, in the first round."""
ENDED: Final = {"kill": {-9}, "raise": {Exit.FAILED, Exit.LOG_FAILED}, "stop": {None}}
"""What is done at a step, and how the worker has ended then."""
ZOMBIES: Final = ("W5", "W6", "W7")


def break_one(stage: Stage, proxy: Proxy, step: str, how: str, round_: int) -> Worker:
    """Start a worker that breaks at a step; return it when it has."""
    nth = STEPS[step] + (0 if STEPS[step] == 1 else round_)
    bootstrap = ""
    if step == "W10":
        before = stage.crew.start()
        stage.await_drained()
        assert before.stop() == Exit.OK
    elif step == "W13":
        proxy.lose_reply(Api.END_TXN, nth=2 + round_, client=stage.prefix)
        bootstrap = stage.cluster.proxied_bootstrap
    named = {"client.id": stage.prefix, "records_max": "40"}
    victim = stage.crew.start("0", f"{step}:{nth}:{how}", bootstrap, **named)
    joiner = None
    if step == "W9":
        stage.await_drained()
        joiner = stage.crew.start("2")
    if how == "stop":
        victim.await_frozen()
    else:
        victim.await_end()
    assert victim.code in ENDED[how], victim.said
    if joiner is not None:
        assert joiner.stop() == Exit.OK, joiner.said
    return victim


def crash(cluster: Cluster, proxy: Proxy, folder: Path, step: str, how: str, round_: int) -> None:
    """Break a worker at a step in one way, let another do the rest, and check everything."""
    with stage_on(cluster, folder) as stage:
        held = load(SEED + round_, CUSTOMERS)
        stage.send(held[: len(held) // 2])
        victim = break_one(stage, proxy, step, how, round_)
        successor = stage.crew.start("1" if how == "stop" else "0")
        stage.send(held[len(held) // 2 :])
        stage.await_drained()
        if how == "stop":
            stage.thaw(victim)
        stage.finish(successor)


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[object, ...], Future[None]]]:
    """Yield every run that was asked for."""
    folder = tmp_path_factory.mktemp("crashes")
    with Proxy(cluster) as proxy:
        run = partial(crash, cluster, proxy, folder)
        with at_once(request, run, ("step", "how", "round_")) as under_way:
            yield under_way


@pytest.mark.parametrize("round_", range(ROUNDS))
@pytest.mark.parametrize("how", ENDED)
@pytest.mark.parametrize("step", STEPS)
def test_a_successor_makes_a_broken_worker_good(
    step: str, how: str, round_: int, runs: dict[tuple[object, ...], Future[None]]
) -> None:
    """Killed, failed, or frozen and replaced: nothing is lost, doubled or misattributed."""
    runs[step, how, round_].result()


@pytest.mark.parametrize("zombie", ZOMBIES)
def test_of_two_workers_in_one_slot_one_is_fenced(
    zombie: str, cluster: Cluster, tmp_path: Path
) -> None:
    """Frozen in its commit and replaced in its own slot, a worker writes nothing of that batch.

    Which of the two goes on then is open: one that was frozen for long takes a new producer, and
    whoever took the slot last has it. The other ends.
    """
    with stage_on(cluster, tmp_path) as stage:
        stage.send(load(SEED, CUSTOMERS))
        frozen = stage.crew.start("0", f"{zombie}:2:stop", records_max="40")
        frozen.await_frozen()
        successor = stage.crew.start("0")
        stage.await_drained()
        frozen.thaw()
        for number in range(1, FEED_MAX):
            # It notices when it has something to write.
            stage.send(load(SEED + number, 4, first=CUSTOMERS * number))
            stage.await_drained()
            ended = [each for each in (frozen, successor) if each.code is not None]
            if ended:
                break
        assert [each.code for each in ended] == [Exit.FENCED], stage.crew.said()
        stage.finish(successor if ended == [frozen] else frozen)

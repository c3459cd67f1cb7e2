"""A worker breaks at each step of a batch, in each way; its successor makes it good, exactly.

W0-W13 are the steps of docs/reliability.md. At each of them one worker is killed, one fails, and
one is frozen for longer than its session lasts, replaced, and let go on: it must write nothing.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from pnl.errors import Exit
from streams.kafka_log import KafkaLog
from tests.kafka.checks import OUTPUTS, assert_exact, find
from tests.kafka.crew import Crew, Worker, crew_on
from tests.kafka.draining import await_drained, await_members
from tests.kafka.load import Sent, create_topics, load, send
from tests.kafka.plain_log import records
from tests.kafka.watcher import Watcher
from tests.kafka.worker import TRANSACTION, settings
from tests.support.kafka_broker import Cluster
from tests.support.kafka_proxy import Proxy
from tests.support.kafka_wire import Api

SEED: Final = int(os.environ.get("PNL_CRASH_SEED", "1"))
CUSTOMERS: Final = int(os.environ.get("PNL_CRASH_CUSTOMERS", "40"))
AT_ONCE: Final = 6
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
"""Each step, and which time it is reached the worker breaks there."""
REPLACED: Final = {Exit.FENCED, Exit.LOG_FAILED}
"""How one ends that was replaced; one that has nothing to write may also become a member again."""
HOW: Final = {"kill": {-9}, "raise": {Exit.FAILED, Exit.LOG_FAILED}, "stop": {Exit.OK, *REPLACED}}
"""What is done at a step, and how such a worker may end."""


class Stage:
    """One run: its topics, input, workers and watcher."""

    def __init__(
        self, cluster: Cluster, proxy: Proxy, folder: Path, prefix: str, opened: ExitStack
    ) -> None:
        self.cluster, self.proxy, self.prefix = cluster, proxy, prefix
        create_topics(cluster, prefix)
        self.log = KafkaLog(settings(cluster.bootstrap, prefix, "none", {}, TRANSACTION))
        opened.callback(self.log.close)
        self.crew: Crew = opened.enter_context(crew_on(folder / prefix, cluster.bootstrap, prefix))
        self.watcher = opened.enter_context(Watcher(cluster.bootstrap, prefix))
        held = load(SEED, CUSTOMERS)
        self.first, self.second = held[: len(held) // 2], held[len(held) // 2 :]

    def send(self, held: list[Sent]) -> None:
        """Append input."""
        send(self.cluster.bootstrap, self.prefix, held)

    def break_one(self, step: str, how: str) -> Worker:
        """Start a worker that breaks at a step; return it when it has."""
        armed = f"{step}:{STEPS[step]}:{how}"
        if step == "W10":
            before = self.crew.start()
            await_drained(self.log)
            assert before.stop() == Exit.OK
        bootstrap = self.cluster.proxied_bootstrap if step == "W13" else self.cluster.bootstrap
        named = {"client.id": self.prefix, "records_max": "40"}
        if step == "W13":
            self.proxy.lose_reply(Api.END_TXN, nth=2, client=self.prefix)
        victim = self.crew.start("0", armed, bootstrap, **named)
        if step == "W9":
            await_drained(self.log)
            self.crew.start("1")
        if how == "stop":
            victim.await_frozen()
        else:
            assert victim.await_end() in HOW[how], victim.said
        return victim

    def thaw(self, victim: Worker) -> None:
        """Let a frozen worker go on, whose work another has done; see that it changes nothing."""
        before = records(self.cluster.bootstrap, self.prefix, OUTPUTS)
        victim.thaw()
        await_members(self.cluster, self.prefix, 2, unless=lambda: victim.code is not None)
        if victim.code is None:
            victim.stop()
        assert victim.code in HOW["stop"], victim.said
        assert records(self.cluster.bootstrap, self.prefix, OUTPUTS) == before


def crash(cluster: Cluster, proxy: Proxy, folder: Path, prefix: str, step: str, how: str) -> None:
    """Break a worker at a step in one way, let another do the rest, and check everything."""
    with ExitStack() as opened:
        stage = Stage(cluster, proxy, folder, prefix, opened)
        stage.send(stage.first)
        victim = stage.break_one(step, how)
        successor = stage.crew.start("1" if how == "stop" else "0")
        stage.send(stage.second)
        await_drained(stage.log)
        if how == "stop":
            stage.thaw(victim)
        assert successor.stop() == Exit.OK, successor.said
        stage.watcher.assert_whole()
        assert_exact(find(cluster.bootstrap, prefix))


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], Future[None]]]:
    """Yield every run that was asked for, some of them at the same time: they mostly wait."""
    wanted = [
        tuple(item.callspec.params[name] for name in ("step", "how"))
        for item in request.session.items
        if item.path == request.path and isinstance(item, pytest.Function)
    ]
    folder = tmp_path_factory.mktemp("crashes")
    with Proxy(cluster) as proxy, ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            (step, how): pool.submit(
                crash, cluster, proxy, folder, f"{uuid4().hex[:8]}.{step}.{how}.", step, how
            )
            for step, how in wanted
        }


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("step", STEPS)
def test_a_successor_makes_a_broken_worker_good(
    step: str, how: str, runs: dict[tuple[str, str], Future[None]]
) -> None:
    """Killed, failed, or frozen and replaced: nothing is lost, doubled or misattributed."""
    runs[step, how].result()

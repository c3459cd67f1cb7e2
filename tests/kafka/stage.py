"""Where a fault test plays: topics of its own, workers, a watcher, and the check of everything."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from pnl.errors import RESTARTABLE, Exit
from streams.kafka_log import KafkaLog
from streams.log import Record
from tests.kafka.checks import OUTPUTS, Found, assert_exact, find
from tests.kafka.crew import Crew, Worker, crew_on
from tests.kafka.draining import GROUP, await_members, is_drained
from tests.kafka.load import Sent, create_topics, send
from tests.kafka.plain_log import records
from tests.kafka.watcher import Watcher
from tests.kafka.worker import TRANSACTION, settings
from tests.support.kafka_broker import Cluster
from tests.support.waiting import until

AT_ONCE: Final = 6
"""So many runs at the same time: they mostly wait."""
REPLACED: Final = frozenset({Exit.FENCED, Exit.LOG_FAILED})
"""How a worker ends that was replaced while it was writing."""


class Stage:
    """One run on a cluster, under a prefix of its own."""

    def __init__(self, cluster: Cluster, prefix: str, crew: Crew, watcher: Watcher) -> None:
        self.cluster, self.prefix, self.crew, self.watcher = cluster, prefix, crew, watcher
        self.log = KafkaLog(settings(cluster.bootstrap, prefix, "none", {}, TRANSACTION))
        self.kept: list[Worker] = []
        self._before = 0

    def send(self, held: Sequence[Sent]) -> None:
        """Append input."""
        self._before = self.done()
        send(self.cluster.bootstrap, self.prefix, held)

    def await_drained(self, seconds: float = 60) -> None:
        """Return once all input is processed."""
        with self._telling():
            until(lambda: self.keep_up() or is_drained(self.log), seconds, "all input is processed")

    def done(self) -> int:
        """Return how many input offsets are committed."""
        return sum(self.log.committed(GROUP).values())

    def await_some(self) -> None:
        """Return once more is committed than when input was last sent."""
        with self._telling():
            until(lambda: self.keep_up() or self._is_on(), 60, "a batch is committed")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Add what the workers said to what was waited for in vain."""
        try:
            yield
        except TimeoutError as late:
            late.add_note(self.crew.said())
            raise

    def await_members(
        self, count: int, unless: Callable[[], bool] = lambda: False, seconds: float = 60
    ) -> None:
        """Return once the group is stable with so many members, or something else happened."""
        await_members(self.cluster, self.prefix, count, unless, seconds)

    def outputs(self) -> dict[tuple[str, int], list[Record]]:
        """Return every committed record of the output topics."""
        return records(self.cluster.bootstrap, self.prefix, OUTPUTS)

    def keep_up(self) -> None:
        """Start those of `kept` again that ended with a code that lets a supervisor do so."""
        for number, worker in enumerate(self.kept):
            if worker.code is not None:
                assert worker.code in RESTARTABLE, worker.said
                self.kept[number] = self.crew.start(worker.slot)

    def _is_on(self) -> bool:
        return self.done() > self._before

    def thaw(self, frozen: Worker) -> None:
        """Let a worker go on whose work another has done; see that it changes nothing."""
        before = self.outputs()
        frozen.thaw()
        self.await_members(2, unless=lambda: frozen.code is not None)
        if frozen.code is None:
            frozen.stop()
        assert frozen.code in {Exit.OK, *REPLACED}, frozen.said
        assert self.outputs() == before

    def finish(self, *workers: Worker) -> Found:
        """Drain, stop the workers that are left, check everything; return what is there."""
        self.await_drained()
        if self.kept:
            self.await_members(len(self.kept))  # one started again may not heed a signal yet
        for worker in workers:
            assert worker.stop() == Exit.OK, f"{worker.code}: {worker.said}"
        found = find(self.cluster.bootstrap, self.prefix)
        assert_exact(found)
        self.watcher.assert_whole()
        return found


@contextmanager
def stage_on(
    cluster: Cluster, folder: Path, prefix: str = "", partitions: int = 2, **topics: str
) -> Iterator[Stage]:
    """Yield a stage with empty topics; in `topics`, settings of the state's, _ stands for a dot."""
    named = {name.replace("_", "."): value for name, value in topics.items()}
    own = prefix or f"{uuid4().hex[:8]}."
    create_topics(cluster, own, partitions, named)
    with (
        crew_on(folder / own, cluster.bootstrap, own) as crew,
        Watcher(cluster.bootstrap, own) as watcher,
        ExitStack() as opened,
    ):
        stage = Stage(cluster, own, crew, watcher)
        opened.callback(stage.log.close)
        yield stage


@contextmanager
def at_once(
    request: pytest.FixtureRequest, run: Callable[..., None], names: Sequence[str]
) -> Iterator[dict[tuple[object, ...], Future[None]]]:
    """Yield the runs of all parametrized tests of a module that were asked for, under way."""
    wanted = [
        tuple(item.callspec.params[name] for name in names)
        for item in request.session.items
        if item.path == request.path
        and isinstance(item, pytest.Function)
        and hasattr(item, "callspec")
        and set(names) <= item.callspec.params.keys()
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {each: pool.submit(run, *each) for each in wanted}

"""Faust's Kafka consumer, made to read what is committed, from where the state says.

Law: a record of a transaction that was aborted is never seen, and what is read next is decided by
the state alone. Faust reads uncommitted records by default, and may commit past a record that it
has not handled (faust-streaming#606), so what its group committed decides nothing here.

Four private names of Faust and aiokafka are used; each is asserted, so that a release without them
stops a host at its start.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import WorkerThread

COMMITTED: Final = "read_committed"
FETCH_WAIT_MS: Final = 100
"""Faust lets a broker hold a fetch for 1,500 ms, and a partition that was just emptied waits for
the fetch of the others to come back."""
Places = Callable[[], Mapping[TP, int]]


class _Daemon(WorkerThread):
    """Does not keep a process alive that has to end."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - Faust's own
        super().__init__(*arguments, **named)
        self.daemon = True


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> AIOKafkaConsumer:
        consumer = super()._create_consumer(loop)
        _set(consumer, "_isolation_level", COMMITTED)
        _set(consumer, "_fetch_max_wait_ms", FETCH_WAIT_MS)
        return consumer


class CommittedConsumer(driver.Consumer):
    """Reads committed records, each partition from the place that the transport is told.

    Faust lets partitions of input go before it seeks, and empties its queues after: what was read
    in between is dropped, and not read again. So here they are held until all of that is over.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - Faust's own
        self._held: set[TP] = set()
        super().__init__(*arguments, **named)

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon, Worker=_Daemon)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Hold nothing of what was assigned before."""
        self._held.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Let a changelog go, and hold input."""
        wanted = set(tps)
        input_tps = {tp for tp in wanted if tp.topic not in self.app.tables.changelog_topics}
        self._held |= input_tps
        super().resume_partitions(wanted - input_tps)

    def resume_flow(self) -> None:
        """Let input go too: Faust has sought, and its queues are empty."""
        super().resume_flow()
        held, self._held = self._held, set()
        super().resume_partitions(held)

    async def perform_seek(self) -> None:
        """Go to where the state says, and nowhere else on the way there.

        Faust calls this at any time, also while a fetch is under way: what was committed may lie
        beyond what was handled, and what is fetched from there would be taken for what comes next.
        Going back is harmless at any time: what was handled is known by its place.
        """
        transport = self.transport
        assert isinstance(transport, CommittedTransport)
        assigned = self.assignment()
        places = {tp: at for tp, at in transport.places().items() if tp in assigned}
        for tp, at in places.items():
            # Or what is handled before it would be kept to be committed, for ever.
            self._committed_offset[tp] = at or None
        await self.seek_wait(places)


class CommittedTransport(driver.Transport):
    """Makes such consumers. `places` says, for the partitions that are owned, where to read on."""

    Consumer: ClassVar[type[Any]] = CommittedConsumer
    places: Places


def _set(consumer: AIOKafkaConsumer, name: str, value: object) -> None:
    if not hasattr(consumer, name):
        raise RuntimeError(f"aiokafka has no {name} any more: committed reads need another way")
    setattr(consumer, name, value)

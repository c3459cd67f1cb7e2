"""Signals on Faust: one agent over the derived topics, and a table that is a changelog's fold.

Law: at least once with the same result. A step writes its signals and waits for them, then its
state; the state holds the places up to which it goes, and they alone decide what is read next. So
whatever ends this process, the next one repeats at most the last step, with the same identities.

What Faust 0.15.3 is known to do, and what keeps it from hurting here (docs/signals.md says more):

* commits past a record in flight, acknowledges on an exception: places lie in the state, and
  `CommittedConsumer` seeks to them; what the group committed is never asked.
* drops records it has fetched when owners change: what does not come before the first record of a
  partition, and the state, are read from the log by ourselves.
* reads uncommitted records: `streams.faust_committed`.
* state ahead of the offsets, changelog written in parts: `streams.signal_steps`.
* windows by the wall clock, closed for one partition of many, keys lost to expiry: no window of
  Faust is used; handlers keep their own, in event time.
* `exactly_once` sends outside its transaction: not used.
* consumers that stop or stall, recovery that hangs: a host says how many records it has handled
  and whether it is ready; who runs it compares that with the log and ends a host that stands still.
* a failed write of the changelog is only logged: a step waits for each of its writes.
"""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Final

import faust
from faust.exceptions import FaustError
from faust.sensors.prometheus import setup_prometheus_sensors
from faust.types import TP, EventT
from prometheus_client import CollectorRegistry

from streams.dead_letters import dead_letter
from streams.facts import Millis
from streams.faust_app import BATCH_MAX, app_of
from streams.faust_committed import CommittedTransport
from streams.faust_settings import FaustSettings
from streams.faust_table import ChangelogTable, changelog_of
from streams.invalid import Invalid, Refused
from streams.log import Busy, LogFailed, Record, TopicPartition
from streams.signal_host import Arrived, Draft, Emitted, SignalHandler, apply_each
from streams.signal_steps import Table
from streams.topics import DEAD_LETTERS

METRICS: Final = "pnl_faust"
_LOOK_SECONDS: Final = 0.05
Reading = Callable[[str, int, int, int], list[Record]]
"""Reads committed records of a topic's partition from an offset on, up to a number of them; fewer
at the end. From any thread."""


class FaustHost:
    """Runs a handler on Faust, in a thread with a loop of its own, until it is stopped."""

    def __init__(
        self,
        settings: FaustSettings,
        handler: SignalHandler,
        read: Reading,
        registry: CollectorRegistry,
    ) -> None:
        self._settings = settings
        self._handler = handler
        self._read = read
        self._registry = registry
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faust", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking: Future[None] | None = None
        self._begun: dict[tuple[int, str], int] = {}
        self._app: faust.App | None = None
        self._table: ChangelogTable | None = None
        self.fault: BaseException | None = None
        """What ended it; None while nothing did."""
        self.handled = 0
        """How many records it has handled since its start."""
        self.refused = 0
        """How many of them became dead letters."""
        self.ticks = 0
        """How often time did its part."""

    def start(self) -> None:
        """Begin; what comes of it shows in `is_ready` and `fault`."""
        self._thread.start()

    def wait(self, wait: timedelta) -> bool:
        """Wait for its end; return whether it has ended."""
        return self._ended.wait(wait.total_seconds())

    def stop(self, limit: timedelta) -> bool:
        """Leave the group; return whether that was done within the limit."""
        self._stopping.set()
        return self.wait(limit)

    @property
    def is_ready(self) -> bool:
        """Whether its partitions are known and their state restored."""
        app, table = self._app, self._table
        return app is not None and table is not None and table.recovered and not app.rebalancing

    def positions(self) -> dict[TopicPartition, int]:
        """Return the next offset of each partition that is owned; from any thread."""
        tables = dict(self._table.tables) if self._table is not None else {}
        return {
            TopicPartition(topic, partition): table.positions.get(topic, 0)
            for partition, table in tables.items()
            for topic in self._settings.topics
        }

    def tick(self, now: Millis) -> None:
        """Let time do its part, once all until then was handled; nothing while it still does."""
        idle = self._ticking is None or self._ticking.done()
        if self._loop is not None and idle and not self._is_at_rest():
            self._ticking = asyncio.run_coroutine_threadsafe(self._ticked(now), self._loop)

    @property
    def progress(self) -> int:
        """How much it has read, handled or ticked: what only grows while it is alive."""
        replayed = self._table.replayed if self._table is not None else 0
        return self.handled + self.ticks + replayed

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - kept: who runs the host ends with it
            self._fail(error)
        finally:
            self._ended.set()

    def _fail(self, error: BaseException) -> None:
        if self.fault is None:
            known = isinstance(error, FaustError | LogFailed) or _is_of_the_log(error)
            self.fault = LogFailed(f"Faust: {error!r}") if known else error
        self._stopping.set()

    async def _main(self) -> None:
        self._lock = asyncio.Lock()
        self._gathered: asyncio.Queue[EventT[Any]] = asyncio.Queue(BATCH_MAX)
        self._loop = asyncio.get_running_loop()
        app = self._app = self._made()
        steps = asyncio.create_task(self._take_steps())
        try:
            await app.start()
            while not self._stopping.is_set():
                if app.crashed:
                    raise LogFailed(f"Faust gave up: {app.crash_reason!r}")
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            steps.cancel()
            await app.stop()

    def _made(self) -> faust.App:
        settings = self._settings
        app = app_of(settings)
        transport = CommittedTransport(app.conf.broker_consumer, app)
        transport.places = self._places
        app.transport = transport
        setup_prometheus_sensors(app, registry=self._registry, name_prefix=METRICS)
        self._table = changelog_of(app, settings, self._take_over)
        topic = app.topic(
            *(settings.prefix + name for name in settings.topics), key_type=bytes, value_type=bytes
        )

        async def signals(stream: faust.StreamT[bytes]) -> None:
            async for event in stream.events():
                await self._gathered.put(event)

        app.agent(topic, concurrency=1, name="signals")(signals)
        app.finalize()
        return app

    def _places(self) -> dict[TP, int]:
        """Return where to read on; nothing before the state is there."""
        if self._table is None or not self._table.recovered:
            return {}
        prefix = self._settings.prefix
        return {
            TP(prefix + place.topic, place.partition): at for place, at in self.positions().items()
        }

    async def _take_steps(self) -> None:
        """Take steps with all that has come meanwhile; what fails ends the host."""
        try:
            while True:
                events = [await self._gathered.get()]
                while not self._gathered.empty():
                    events.append(self._gathered.get_nowait())
                async with self._lock:
                    await self._arrived(events)
        except Exception as error:  # noqa: BLE001 - kept: who runs the host ends with it
            self._fail(error)

    async def _ticked(self, now: Millis) -> None:
        try:
            await self._tick(now)
        except Exception as error:  # noqa: BLE001 - kept: who runs the host ends with it
            self._fail(error)

    async def _tick(self, now: Millis) -> None:
        """Let time do its part, in every partition that is owned."""
        assert self._table is not None
        async with self._lock:
            for partition, table in list(self._table.tables.items()):
                if self._is_at_rest():
                    return
                draft = Draft(table.state)
                emitted = self._handler.tick(draft, partition, now)
                if emitted or draft.changes:
                    await self._step(partition, table, draft, {}, emitted)
            self.ticks += 1

    def _is_at_rest(self) -> bool:
        return not self.is_ready or self._stopping.is_set()

    async def _arrived(self, events: Sequence[EventT[Any]]) -> None:
        """Take one step in each partition number that the records are of.

        What came before the last rebalance is passed over: it is read again from the state's place.
        What comes before the present one is quite over is not: it has to wait.
        """
        assert self._app is not None
        assert self._table is not None
        generation = self._app.consumer_generation_id
        while self._app.rebalancing and self._app.consumer_generation_id == generation:
            await asyncio.sleep(_LOOK_SECONDS)
        generation = self._app.consumer_generation_id
        by_partition: dict[int, list[EventT[Any]]] = {}
        for event in events:
            if event.message.generation_id == generation:
                by_partition.setdefault(event.message.partition, []).append(event)
        for partition, part in by_partition.items():
            table = self._table.tables.get(partition)
            if table is None:
                continue
            await self._steps(generation, partition, table, [self._came(event) for event in part])

    async def _steps(
        self, generation: int, partition: int, table: Table, arrivals: Sequence[Arrived]
    ) -> None:
        """Take a step with what came, after steps with what should have come before it.

        Looked for once in each topic after a takeover: a gap is the end of a transaction, or what
        compaction removed, or what Faust dropped.
        """
        for arrived in arrivals:
            if self._begun.get((partition, arrived.topic)) == generation:
                continue
            at = table.positions.get(arrived.topic, 0)
            async for records in self._between(arrived.topic, partition, at, arrived.offset):
                missed = [self._arrival(record) for record in records]
                if not await self._step_of(partition, table, missed):
                    return
            self._begun[partition, arrived.topic] = generation
        await self._step_of(partition, table, arrivals)

    async def _between(
        self, topic: str, partition: int, start: int, end: int
    ) -> AsyncIterator[list[Record]]:
        """Read what the log has from `start` on before `end`, as many at once as a step takes."""
        while start < end:
            try:
                read = await asyncio.to_thread(self._read, topic, partition, start, BATCH_MAX)
            except Busy:
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            records = [record for record in read if record.offset < end]
            if records:
                yield records
            if len(records) < BATCH_MAX:
                return
            start = records[-1].offset + 1

    async def _take_over(self, tables: Mapping[int, Table]) -> None:
        """Read the state of what is owned now; what fails ends the host."""
        try:
            for partition, table in tables.items():
                await self._begin_term(partition, table)
        except Exception as error:  # noqa: BLE001 - kept: who runs the host ends with it
            self._fail(error)

    async def _begin_term(self, partition: int, table: Table) -> None:
        """Read a changelog and begin a term in it; again, if somebody wrote a step meanwhile."""
        app, changelog = self._app, self._table
        assert app is not None
        assert changelog is not None
        tables, generation = changelog.tables, app.consumer_generation_id
        name = self._settings.changelog
        start, began = 0, sys.maxsize
        while True:
            has_step = False
            async for records in self._between(name, partition, start, began):
                for record in records:
                    has_step |= table.replay(record.key, record.value)
                changelog.replayed += len(records)
                start = records[-1].offset + 1
            if began != sys.maxsize:
                if not has_step:
                    return
                start = began + 1
            if changelog.tables is not tables or self._stopping.is_set():
                return
            written = [
                (changelog.changelog_topic_name, *each) for each in table.take_over(generation)
            ]
            began = await self._write(partition, written)

    async def _step_of(self, partition: int, table: Table, arrivals: Sequence[Arrived]) -> bool:
        """Take a step with what of this is new; False where the partition was lost."""
        positions = dict(table.positions)
        new: list[Arrived] = []
        for arrived in arrivals:
            if arrived.offset >= positions.get(arrived.topic, 0):
                positions[arrived.topic] = arrived.offset + 1
                new.append(arrived)
        if not new:
            return True
        draft = Draft(table.state)
        emitted, refused = apply_each(self._handler, draft, new)
        letters = [self._letter(new[index], problem) for index, problem in refused]
        if not await self._step(partition, table, draft, positions, [*emitted, *letters]):
            return False
        self.handled += len(new)
        self.refused += len(letters)
        return True

    async def _step(
        self,
        partition: int,
        table: Table,
        draft: Draft,
        positions: Mapping[str, int],
        emitted: Sequence[Emitted],
    ) -> bool:
        """Write signals, then state, waiting for both; False where the partition was lost."""
        app, changelog = self._app, self._table
        assert app is not None
        assert changelog is not None
        generation = app.consumer_generation_id
        prefix = self._settings.prefix
        await self._write(
            partition, [(prefix + each.topic, each.key, each.value) for each in emitted]
        )
        if app.rebalancing or app.consumer_generation_id != generation:
            return False
        topic = changelog.changelog_topic_name
        records = table.step(positions, draft.changes)
        await self._write(partition, [(topic, key, value) for key, value in records])
        return True

    async def _write(
        self, partition: int, records: Sequence[tuple[str, bytes | None, bytes | None]]
    ) -> int:
        """Write records in their order, each (topic, key, value).

        Returns, once all are kept, the offset of the first; -1 for none.
        """
        assert self._app is not None
        send = self._app.producer.send
        sent = [
            await send(topic, key, value, partition, None, None) for topic, key, value in records
        ]
        kept = await asyncio.gather(*sent)
        return kept[0].offset if kept else -1

    def _came(self, event: EventT[Any]) -> Arrived:
        message = event.message
        return self._arrival(
            Record(
                message.topic.removeprefix(self._settings.prefix),
                message.partition,
                message.offset,
                round(message.timestamp * 1000),
                message.key,
                message.value,
            )
        )

    def _arrival(self, record: Record) -> Arrived:
        topic, partition, offset, logged_at, key, value, _ = record
        return Arrived(topic, partition, offset, self._settings.epoch, logged_at, key, value)

    def _letter(self, arrived: Arrived, problem: Refused) -> Emitted:
        topic, partition, offset, epoch, logged_at, key, value = arrived
        record = Record(topic, partition, offset, logged_at, key, value)
        why = Invalid(problem.reason, problem.detail)
        letter = dead_letter(record, epoch, why, self._settings.code_version)
        return Emitted(DEAD_LETTERS, f"{topic}-{partition}-{offset}".encode(), letter)


def _is_of_the_log(error: BaseException) -> bool:
    """Say whether it comes from Kafka's client, which is not ours to mend."""
    return type(error).__module__.startswith(("aiokafka", "mode"))

"""Transactions that move no offset, ticks and accounts of quiet partitions, lost at every step.

What the broker made of them is not told by the offsets, which are the same before and after.
"""

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from streams.facts import Millis
from streams.kafka_consumer import KafkaConsumer
from streams.kafka_log import KafkaLog
from streams.log import Busy, Fenced, LogDamaged, LogFailed, Outgoing
from streams.runner import Account, Runner
from streams.signal_host import Arrived, Emitted
from streams.signals_on_runner import SignalsOnRunner
from streams.topics import ALERTS, BATCHES, CHURN
from tests.simulation.fake_clients import FakeClients
from tests.simulation.network import Calm, Fate, Network
from tests.simulation.pace import Killed, Process, VirtualPace
from tests.simulation.places import new_network, settings
from tests.simulation.simulation import virtual_time

PARTITIONS = 2
WAIT = timedelta(seconds=0.5)
AWAY_SECONDS = 13.0
"""Longer than a transaction may live, and so than a commit is repeated."""
REQUESTS = ("AddPartitionsToTxn", "Produce", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn")
STRIKES = ("stop", "mute", "kill")


class Told:
    """Raises one alert for each partition number, when time has come; counts records."""

    def apply(self, state: MutableMapping[str, bytes], arrived: Arrived) -> list[Emitted]:
        """Count a record."""
        del arrived
        state["count"] = b"%d" % (int(state.get("count", b"0")) + 1)
        return []

    def tick(self, state: MutableMapping[str, bytes], partition: int, now: Millis) -> list[Emitted]:
        """Raise the alert, unless it was."""
        if not now or "told" in state:
            return []
        state["told"] = b"1"
        return [Emitted(ALERTS, b"%d" % partition, b"{}")]


class Noted(SignalsOnRunner):
    """Writes a record of each batch."""

    def records_of(self, account: Account) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Name the batch."""
        return [(BATCHES, [Outgoing(account.batch_id.encode(), b"{}")])]


class Strike(Calm):
    """Lets the broker, or the process, fail at one request."""

    def __init__(self) -> None:
        self.do: Callable[[Process], None] | None = None
        self.request = ""

    def of(self, api: str, process: Process) -> Fate:
        """Return the usual fate of a request, having struck if it is the one."""
        if self.do is not None and api == self.request:
            do, self.do = self.do, None
            do(process)
        return Fate()


class World:
    """A worker and its broker."""

    def __init__(self, pace: VirtualPace) -> None:
        self.pace = pace
        self.network: Network = new_network(
            self.pace, lambda: 1_000 + round(self.pace.now() * 1000), PARTITIONS
        )
        self.strike = self.network.fates = Strike()
        self.processes = 0
        self.start()

    def start(self) -> None:
        """Start a worker where the former was, and wait until it owns everything."""
        self.processes += 1
        clients = FakeClients(self.network, Process(f"0.{self.processes}"))
        self.log = KafkaLog(settings(), clients=clients)
        self.consumer = self.log.consumer("signals", (CHURN,))
        self.handler = Noted(Told(), self.log.epoch)
        self.runner = Runner(self.consumer, self.handler, epoch=1, code_version="test")
        self.step()

    def step(self) -> None:
        """Let the worker do what there is to do, until it owns everything and nothing is left."""
        for _ in range(200):
            try:
                if not self.runner.step(WAIT) and self.consumer.committed():
                    return
            except Busy:
                self.pace.sleep(0.1)
        raise AssertionError("it does not come to rest")

    def send(self) -> None:
        """Append records and have them read."""
        self.log.append(CHURN, [Outgoing(b"k%d" % n, b"{}") for n in range(20)])
        self.step()

    def until_done(self, act: Callable[[], None]) -> None:
        """Do something until it is done, as workers do: again when busy, restarted at an end."""
        for _ in range(50):
            try:
                return act()
            except Busy:
                self.step()
            except (Fenced, LogFailed, Killed):
                self.pace.run(20.0)
                self.start()
        raise AssertionError("it is never done")

    def suffer(self, request: str, strike: str, act: Callable[[], None]) -> None:
        """Do something, with a strike at the first request of a kind."""
        broker = self.network.broker
        self.strike.request = request
        self.strike.do = {
            "stop": lambda _: broker.stop(AWAY_SECONDS),
            "mute": lambda _: broker.mute(AWAY_SECONDS),
            "kill": lambda process: setattr(process, "dead", True),
        }[strike]
        self.until_done(act)
        assert self.strike.do is None

    def keys(self, topic: str) -> list[bytes]:
        """Return the keys of a topic's committed records."""
        return sorted(
            record.key or b""
            for number in range(PARTITIONS)
            for record in self.log.read(topic, number, 0, 1_000)
        )


@pytest.fixture
def world() -> Iterator[World]:
    """Yield a worker that has read something, in virtual time."""
    pace = VirtualPace()
    with virtual_time(pace, lambda _: None):
        made = World(pace)
        made.send()
        yield made


def tick(world: World) -> None:
    """Raise what is due."""
    world.runner.tick(world.handler, 1)


def assert_ticked(world: World) -> None:
    """Each alert is there once, state and log are one for whoever comes next."""
    world.until_done(lambda: tick(world))
    world.send()
    world.start()
    assert world.keys(ALERTS) == [b"%d" % number for number in range(PARTITIONS)]


@pytest.mark.parametrize("strike", STRIKES)
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_tick_is_done_once_whatever_is_lost_of_it(
    world: World, request_: str, strike: str
) -> None:
    """The broker away, or doing what nobody hears of, or the worker killed, at each request."""
    world.suffer(request_, strike, lambda: tick(world))
    assert_ticked(world)


@pytest.mark.parametrize("strike", STRIKES)
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_quiet_partition_is_accounted_for_once_whatever_is_lost_of_it(
    world: World, request_: str, strike: str
) -> None:
    """Each account is one that was committed; none is believed to be that was not."""
    before, told = len(world.keys(BATCHES)), count(1)

    def tell() -> None:
        world.runner.tell_quiet(next(told), timedelta())

    world.suffer(request_, strike, tell)
    after = world.keys(BATCHES)
    last = next(told) - 1
    assert [key for key in after if key.endswith(b"-quiet-%d" % last)] != []
    if strike != "kill" and last == 1:
        assert len(after) == before + PARTITIONS
    assert_ticked(world)


def test_offsets_alone_would_not_tell(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were only they asked, a lost tick would pass for done: the mark they carry is not vain."""

    def by_offsets(self: KafkaConsumer, client: Any, offsets: Any, _: str) -> bool:
        return self._owned.ask_committed(client, offsets) == offsets

    monkeypatch.setattr(KafkaConsumer, "_was_committed", by_offsets)
    world.suffer("EndTxn", "stop", lambda: tick(world))
    with pytest.raises((AssertionError, LogDamaged)):
        assert_ticked(world)


def test_what_named_no_offset_is_not_guessed_at(world: World) -> None:
    """Outputs alone carry no mark: the worker ends, rather than write them twice or never."""
    world.strike.request = "EndTxn"
    world.strike.do = lambda _: world.network.broker.stop(AWAY_SECONDS)
    with pytest.raises(LogFailed, match="moved nothing"), world.consumer.transaction() as opened:
        opened.produce(ALERTS, 0, [Outgoing(b"a", b"{}")])

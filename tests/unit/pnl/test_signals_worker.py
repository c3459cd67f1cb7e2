"""Who watches a host on Faust ends it where it stands still, and only there."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from pnl.errors import UserError
from pnl.metrics import Metrics
from pnl.workers.signals import SignalsRole, signals
from pnl.workers.signals_faust import FaustSignalsRole, faust_settings
from processors.alert_rules import DEFAULTS
from streams.clock import ManualClock
from streams.faust_settings import FaustSettings
from streams.kafka_settings import KafkaSettings
from streams.log import Busy, EventLog, LogFailed, Outgoing, TopicPartition
from streams.memory_log import MemoryLog, MemoryPlace
from streams.topics import CHURN, INPUT_NAMES, ORDERS, STATES

NONE = timedelta(0)


class Host:
    """A host that does what it is told to."""

    def __init__(self) -> None:
        self.fault: BaseException | None = None
        self.handled = self.ticks = self.progress = 0
        self.is_ready, self.has_ended = True, False

    def start(self) -> None:
        """Begin."""

    def wait(self, wait: timedelta) -> bool:
        """Say whether it has ended."""
        del wait
        return self.has_ended

    def tick(self, now: int) -> None:
        """Count."""
        del now
        self.ticks += 1

    def positions(self) -> dict[TopicPartition, int]:
        """Say that it has read what there is."""
        return {TopicPartition(CHURN, 0): 0}

    def stop(self, limit: timedelta) -> bool:
        """End."""
        del limit
        return True


def watched(host: Host, log: EventLog | None = None) -> FaustSignalsRole:
    """Return who watches a host, and gives it no time at all."""
    found = log or MemoryLog(MemoryPlace(ManualClock(1)))
    metrics = Metrics(CollectorRegistry())
    clock = ManualClock(1)
    return FaustSignalsRole(
        found,
        host,  # type: ignore[arg-type]
        metrics,
        clock,
        topics=(CHURN,),
        every=timedelta(days=1),
        still=NONE,
    )


def test_a_host_that_stands_still_ends_the_process() -> None:
    """Nothing was handled since the last look, though the log answers."""
    role = watched(Host())
    role.step(NONE)
    with pytest.raises(LogFailed, match="stands still"):
        role.step(NONE)


def test_a_host_that_goes_on_does_not() -> None:
    """Reading its state, handling and ticking are all signs of life."""
    host = Host()
    role = watched(host)
    for _ in range(3):
        host.progress += 1
        host.handled += 2
        assert role.step(NONE) == 2


def test_while_the_log_does_not_answer_nobody_is_blamed() -> None:
    """A host has nothing to do then."""

    class Silent(MemoryLog):
        def end_offsets(self, topic: str) -> dict[int, int]:
            raise Busy(f"no answer for {topic}")

    role = watched(Host(), Silent(MemoryPlace(ManualClock(1))))
    for _ in range(3):
        with pytest.raises(Busy):
            role.step(NONE)


def test_a_host_that_waits_for_journeys_is_not_blamed() -> None:
    """Facts lie there that journeys have not read: no tick, for as long as that takes."""
    log, host = MemoryLog(MemoryPlace(ManualClock(1))), Host()
    log.consumer("journeys", INPUT_NAMES)
    log.append(ORDERS, [Outgoing(b"k", b"x")])
    role = watched(host, log)
    for _ in range(3):
        assert role.step(NONE) == 0
    assert host.ticks == 0


def test_on_our_runner_time_waits_for_journeys_too() -> None:
    """It goes on as soon as they have read."""
    log = MemoryLog(MemoryPlace(ManualClock(1)))
    journeys = log.consumer("journeys", INPUT_NAMES)
    log.append(ORDERS, [Outgoing(b"k", b"x")])
    role = SignalsRole(
        log,
        signals(DEFAULTS, "UTC"),
        Metrics(CollectorRegistry()),
        ManualClock(1),
        code_version="test",
        every=NONE,
    )
    for _ in range(3):
        role.step(NONE)
    assert role.ticks == 0
    read = {TopicPartition(r.topic, r.partition): r.offset + 1 for r in journeys.poll(9, NONE)}
    with journeys.transaction() as opened:
        opened.commit_offsets(read)
    for _ in range(3):
        role.step(NONE)
    assert role.ticks > 0


def test_what_a_host_ended_with_ends_the_process() -> None:
    """A bug of ours keeps its name; an end without a reason is the log's."""
    host = Host()
    host.has_ended = True
    with pytest.raises(LogFailed):
        watched(host).step(NONE)
    host.fault = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        watched(host).step(NONE)


def test_it_is_not_ready_before_its_state_is_restored() -> None:
    """Readiness is the host's."""
    host = Host()
    role = watched(host)
    assert role.missing() is None
    host.is_ready = False
    assert role.missing() is not None


def test_a_connection_that_faust_cannot_keep_is_refused_with_the_way_out() -> None:
    """The sentence names the property, and the host that can."""
    client = {
        "bootstrap.servers": "a:1",
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "OAUTHBEARER",
    }
    with pytest.raises(UserError, match=r"OAUTHBEARER.*host = .runner"):
        faust_settings(KafkaSettings(client=client, states=STATES), 4, "test")


def test_a_host_is_told_where_its_state_is() -> None:
    """Beside the state of the runner, never in it."""
    kafka = KafkaSettings(client={"bootstrap.servers": "a:1"}, states=STATES, prefix="p.")
    told: FaustSettings = faust_settings(kafka, 4, "test")
    assert told.changelog == "pnl.signals-table.v1"
    assert (told.group, told.prefix) == ("signals-faust", "p.")

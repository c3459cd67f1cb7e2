"""The signals of the product on Faust: old events close the windows that they belong to."""

from collections import Counter
from datetime import timedelta

import msgspec
from prometheus_client import CollectorRegistry

from pnl.metrics import Metrics
from pnl.workers.signals_faust import FaustSignalsRole, faust_settings
from processors.alert_rules import DEFAULTS
from processors.signal_records import ActivityCell, ActivityRecord, WindowRecord
from processors.signals import Signals
from processors.windows import WindowRules
from streams.clock import Deadline, SystemClock
from streams.faust_host import FaustHost
from streams.log import Outgoing
from streams.topics import ACTIVITY, WINDOWS
from tests.kafka.places import create_topics, open_log, settings
from tests.support.kafka_broker import Cluster

MINUTE = 60_000
PANE = 5 * MINUTE
LONG_AGO = 1_700_006_400_000
"""A whole hour of 2023."""
WAIT = timedelta(milliseconds=50)
QUICK = WindowRules(
    idle_ms=500, lateness_ms=500, flush_ms=100, provisional_ms=200, correction_ms=200
)


def batch(source: int, number: int, at: int, chains: int) -> Outgoing:
    """Return what a batch of a source partition brought in one minute."""
    cell = ActivityCell(minute=at, queue="sales", channel="voice", chains=chains, handled=chains)
    record = ActivityRecord(
        epoch=1,
        source_partition=source,
        batch_id=f"1-{source}-{number}",
        logged_at_max=at,
        event_time_max=at + MINUTE - 1,
        cells=(cell,),
    )
    return Outgoing(None, msgspec.json.encode(record))


def test_a_backfill_closes_its_own_windows_with_all_that_belongs_in_them(
    cluster: Cluster, prefix: str
) -> None:
    """Two hours of three years ago, from partitions an hour apart, and a late correction."""
    create_topics(cluster, prefix)
    log = open_log(cluster, prefix)
    wanted: Counter[int] = Counter()
    records = []
    for source, behind in ((0, 0), (1, 20), (2, 60)):
        for minute in range(120):
            at = LONG_AGO + (minute - behind) * MINUTE
            records.append(batch(source, minute, at, 1 + minute % 3))
            wanted[at - at % PANE] += 1 + minute % 3
    late = LONG_AGO + 30 * MINUTE
    records.append(batch(0, 999, late, -1))
    wanted[late] -= 1
    log.append(ACTIVITY, records)
    told = faust_settings(settings(cluster.bootstrap, prefix), log.partitions, "test")
    metrics = Metrics(CollectorRegistry())
    host = FaustHost(told, Signals(DEFAULTS, QUICK), log.read, metrics.registry)
    role = FaustSignalsRole(log, host, metrics, SystemClock(), every=WAIT)
    found: dict[int, WindowRecord] = {}
    at, limit = 0, Deadline(timedelta(seconds=60))
    while {start: each.chains for start, each in found.items() if each.closed} != dict(wanted):
        assert limit.seconds_left(), (found.keys() ^ wanted.keys(), metrics.text()[-500:])
        role.step(WAIT)
        for record in log.read(WINDOWS, 0, at, 1_000):
            at = record.offset + 1
            window = msgspec.json.decode(record.value or b"", type=WindowRecord)
            if window.size == "5m":
                found[window.start] = window
    role.step(WAIT)
    role.close()
    assert metrics.registry.get_sample_value("pnl_faust_total_events_total") == len(records)
    assert metrics.registry.get_sample_value("pnl_signals_ticks_total")
    log.close()

"""What a process tells Prometheus, every name in one place.

Law: no label names a customer, a contact or an order. What happens often is counted once a batch.
Times are seconds, counters end in `_total`.
"""

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

BATCH_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FLUSH_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The metrics of a process. Only one may use the process's own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._of_journeys(registry)
        self._of_the_store(registry)
        self._of_alerts(registry)
        self.law_breaches = Counter(
            "pnl_law_breaches_total", "Laws found broken", ("law",), registry=registry
        )
        self.unmeasured = Counter(
            "pnl_unmeasured_total",
            "Times that a gauge could not be measured, and kept its last value",
            registry=registry,
        )

    def text(self) -> bytes:
        """Return what /metrics answers."""
        return generate_latest(self.registry)

    def _of_journeys(self, registry: CollectorRegistry) -> None:
        self.records = Counter(
            "pnl_records_total",
            "Input records, by how they ended",
            ("topic", "disposition"),
            registry=registry,
        )
        self.dead_letters = Counter(
            "pnl_dead_letters_total",
            "Records that could not be applied, by reason",
            ("topic", "reason"),
            registry=registry,
        )
        self.restatements = Counter(
            "pnl_restatements_total",
            "Entries taken back because a later fact changed what is due",
            ("line",),
            registry=registry,
        )
        self.consumer_lag = Gauge(
            "pnl_consumer_lag_records",
            "Offsets between what is committed and the end, of partitions owned here",
            ("topic", "partition"),
            registry=registry,
        )
        self.event_time_lag = Gauge(
            "pnl_event_time_lag_seconds",
            "How long ago happened what the newest record committed says",
            ("topic", "partition"),
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "pnl_batch_seconds",
            "How long a batch took, from the poll to the commit",
            ("worker",),
            registry=registry,
            buckets=BATCH_BUCKETS,
        )
        self.batches = Counter(
            "pnl_batches_total",
            "Batches by outcome: committed; busy: nothing was committed, it is made again",
            ("worker", "outcome"),
            registry=registry,
        )
        self.assignments = Counter(
            "pnl_assignments_total",
            "How often the partitions owned here have changed",
            ("worker",),
            registry=registry,
        )
        self.producers_replaced = Counter(
            "pnl_producers_replaced_total",
            "Producers replaced after a commit of uncertain outcome",
            ("worker",),
            registry=registry,
        )

    def _of_the_store(self, registry: CollectorRegistry) -> None:
        self.sink_flush_seconds = Histogram(
            "pnl_sink_flush_seconds",
            "How long a batch took from the log into the store",
            registry=registry,
            buckets=FLUSH_BUCKETS,
        )
        self.sink_records = Counter(
            "pnl_sink_records_total", "Output records stored", registry=registry
        )
        self.sink_rows = Counter(
            "pnl_sink_rows_total", "Rows stored", ("table",), registry=registry
        )
        self.sink_buffer_rows = Gauge(
            "pnl_sink_buffer_rows",
            "Rows read from the log and not yet stored",
            ("table",),
            registry=registry,
        )
        self.sink_stalled = Gauge(
            "pnl_sink_stalled", "1 while the store takes no rows", registry=registry
        )
        self.sink_halted = Gauge(
            "pnl_sink_halted", "1 while the auditor has halted the sink", registry=registry
        )
        self.audit = Gauge(
            "pnl_audit", "What the auditor counts, by name", ("figure",), registry=registry
        )
        self.unattributed = Gauge(
            "pnl_unattributed_minor",
            "Net revenue that no contact earned, in minor units",
            ("currency",),
            registry=registry,
        )
        self.net_revenue = Gauge(
            "pnl_net_revenue_minor",
            "Net revenue of all orders, in minor units",
            ("currency",),
            registry=registry,
        )
        self.disk_free = Gauge(
            "pnl_disk_free_bytes", "What the store's disk has left", ("disk",), registry=registry
        )
        self.disk_size = Gauge(
            "pnl_disk_size_bytes",
            "What the store's disk holds in all",
            ("disk",),
            registry=registry,
        )
        self.store_freshness = Gauge(
            "pnl_store_freshness_seconds",
            "Age of the oldest input record that is not in the store",
            ("partition",),
            registry=registry,
        )

    def _of_alerts(self, registry: CollectorRegistry) -> None:
        self.signals_ticks = Counter(
            "pnl_signals_ticks_total",
            "Times that the clock let windows close and late data be noticed",
            registry=registry,
        )
        self.windows_too_late = Gauge(
            "pnl_windows_too_late_changes",
            "Changes that came for windows that took no more, since signals began",
            ("size",),
            registry=registry,
        )
        self.alerts_sent = Counter(
            "pnl_alerts_sent_total",
            "Attempts to deliver an alert: delivered, retrying, refused or expired",
            ("route", "outcome"),
            registry=registry,
        )
        self.alerts_pending = Gauge(
            "pnl_alerts_pending",
            "Alerts read and not yet delivered, those of quiet hours with them",
            ("route",),
            registry=registry,
        )
        self.alerts_oldest_pending = Gauge(
            "pnl_alerts_oldest_pending_seconds",
            "How long the oldest alert has waited that could have been delivered; 0 if none does",
            ("route",),
            registry=registry,
        )


_OF_PROCESS: list[Metrics] = []


def process_metrics() -> Metrics:
    """Return the metrics of this process, which the page's /metrics shows too."""
    if not _OF_PROCESS:
        _OF_PROCESS.append(Metrics(REGISTRY))
    return _OF_PROCESS[0]

"""What the log says of deliveries: the records of `pnl.deliveries.v1` of one route.

Law: a delivery lies in the partition number of the alert it is about, so who owns the alerts of a
partition finds all that was done about them there.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from processors.signal_records import AlertRecord, DeliveryRecord, delivery_key
from streams.log import EventLog, Outgoing, Record
from streams.topics import DELIVERIES

READ: Final = 1_000
HISTORY: Final = "it tells of what lay over seven days back when it was raised: history, not sent"
"""Of an expired delivery: nothing was lost."""
_of_alert: Final = msgspec.json.Decoder(AlertRecord).decode
_of_delivery: Final = msgspec.json.Decoder(DeliveryRecord).decode
_encode: Final = msgspec.json.Encoder().encode


def group_of(route: str) -> str:
    """Return the consumer group of a route."""
    return f"alerts.{route}"


def alert_of(record: Record) -> AlertRecord | None:
    """Return the alert in a record; None where there is none. A bad record is a fault of ours."""
    return None if record.value is None else _of_alert(record.value)


def outgoing(delivery: DeliveryRecord) -> Outgoing:
    """Return a delivery as a record of its topic."""
    return Outgoing(delivery_key(delivery.alert_id, delivery.route), _encode(delivery))


def read_told(
    log: EventLog, partitions: Iterable[int], route: str
) -> dict[tuple[int, str], DeliveryRecord]:
    """Return the last delivery of each alert to a route, by partition and alert_id."""
    told: dict[tuple[int, str], DeliveryRecord] = {}
    for partition in partitions:
        for record in records(log, DELIVERIES, partition):
            if record.value is not None:
                delivery = _of_delivery(record.value)
                if delivery.route == route:
                    told[partition, delivery.alert_id] = delivery
    return told


def records(log: EventLog, topic: str, partition: int, start: int = 0) -> Iterator[Record]:
    """Yield what is kept of a partition from an offset on, up to the end it had at the call."""
    end = log.end_offsets(topic)[partition]
    start = max(start, log.start_offsets(topic)[partition])
    while start < end:
        found = log.read(topic, partition, start, READ)
        if not found:
            return
        yield from (record for record in found if record.offset < end)
        start = found[-1].offset + 1

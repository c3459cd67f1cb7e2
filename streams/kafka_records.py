"""From the library's messages to our records: the one loop that runs for every record read."""

from collections.abc import Callable, Iterable, Mapping

from streams.kafka_clients import KafkaError, KafkaMessage
from streams.log import Record


def records_of(
    messages: Iterable[KafkaMessage],
    names: Mapping[str, str],
    judge: Callable[[KafkaError], None],
) -> list[Record]:
    """Return the records; `names` maps topics on the cluster to ours.

    `judge` is given each error that stands in the place of a record, and raises if it must.
    """
    make = tuple.__new__
    records: list[Record] = []
    add = records.append
    for message in messages:
        error = message.error()
        if error is not None:
            judge(error)
            continue
        headers = message.headers()
        fields = (
            names[message.topic()],  # type: ignore[index]  # a record has a topic
            message.partition(),
            message.offset(),
            message.timestamp()[1],
            message.key(),
            message.value(),
            () if headers is None else tuple(map(tuple, headers)),
        )
        add(make(Record, fields))
    return records

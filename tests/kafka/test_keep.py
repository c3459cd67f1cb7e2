"""Who keeps its partitions without reading takes no record, from before it owns any."""

from datetime import timedelta

from streams.clock import Deadline
from streams.log import Outgoing
from streams.topics import CONTACTS, INPUT_NAMES
from tests.kafka.places import create_topics, open_log
from tests.support.kafka_broker import Cluster

RECORDS = 50
LIMIT = timedelta(seconds=60)
KEPT = timedelta(seconds=2)
"""Long enough for the records to come to the client."""


def test_a_member_that_was_kept_from_the_start_reads_every_record(
    cluster: Cluster, prefix: str
) -> None:
    """A halted sink that was started halted loses nothing once it goes on."""
    create_topics(cluster, prefix, 2)
    log = open_log(cluster, prefix)
    log.append(CONTACTS, [Outgoing(f"k{n}".encode(), b"{}") for n in range(RECORDS)])
    consumer = log.consumer("kept", INPUT_NAMES)
    limit, kept = Deadline(LIMIT), Deadline(LIMIT)
    while kept.seconds_left():
        if not consumer.committed():
            kept = Deadline(KEPT)
        consumer.keep()
        assert limit.seconds_left()
    got = 0
    while got < RECORDS:
        got += len(consumer.poll(1_000, timedelta(milliseconds=200)))
        assert limit.seconds_left(), f"{got} of {RECORDS}"
    log.close()
    assert got == RECORDS

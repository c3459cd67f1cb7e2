"""The application of Faust that signals run on: what of Faust is used, and what is switched off."""

from typing import Final

import faust

from streams.faust_settings import FaustSettings, credentials_of
from streams.kafka_settings import MESSAGE_BYTES_MAX

BATCH_MAX: Final = 500
"""So many records that came during a step make the next one, since a step waits for its writes.

They are gathered here: `Stream.take` may acknowledge, unhandled, what comes while it yields.
"""


def app_of(settings: FaustSettings) -> faust.App:
    """Return an application without agents, tables, web server or leader."""
    return faust.App(
        settings.prefix + settings.group,
        broker=settings.brokers(),
        broker_credentials=credentials_of(settings.client),
        broker_session_timeout=settings.seconds("session.timeout.ms", 45.0),
        broker_heartbeat_interval=settings.seconds("heartbeat.interval.ms", 3.0),
        # Faust asks for more only when all it was given is taken, and leaves its group if that
        # takes too long.
        broker_max_poll_records=BATCH_MAX,
        broker_max_poll_interval=settings.seconds("max.poll.interval.ms", 300.0),
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_max_request_size=MESSAGE_BYTES_MAX,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        table_standby_replicas=0,
        store="memory://",
        stream_wait_empty=False,
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        autodiscover=False,
        datadir=str(settings.folder),
    )

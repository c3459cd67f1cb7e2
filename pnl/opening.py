"""Opens what the settings name: the log and the store, embedded or on a cluster.

Law: one settings file switches between the two; a log on Kafka is opened only where the topics are
those of their card and set as the promises need them.
"""

import logging
import socket
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from pnl.datafolder import DataFolder
from pnl.errors import UserError
from pnl.settings import Settings
from processors.policy import DAY_MS
from streams.clock import Clock
from streams.kafka_card import Card
from streams.kafka_clients import KafkaClients, LibrdkafkaClients
from streams.kafka_log import KafkaLog
from streams.kafka_rules import Wish
from streams.kafka_settings import KafkaSettings
from streams.kafka_topics import KafkaTopics
from streams.sqlite_log import SqliteLog
from streams.topics import STATES

if TYPE_CHECKING:
    from processors.live_churn import LiveModel

Log: TypeAlias = SqliteLog | KafkaLog

REPAIR_TRANSACTION: Final = timedelta(minutes=10)
"""A partition's whole state is written in one transaction; brokers allow 15 minutes."""
_LOGGER: Final = logging.getLogger("kafka")
_EMBEDDED: Final = "chdb:"
_ALL_IN_ONE: Final = "-run"
"""What the slot of `pnl run` and `pnl demo` ends in."""


def is_on_kafka(settings: Settings) -> bool:
    """Say whether the log is on a cluster."""
    return settings.log.kind == "kafka"


def is_shared(settings: Settings) -> bool:
    """Say whether workers elsewhere may work on log and store: both are on servers."""
    dsn = settings.store.dsn
    embedded = dsn is not None and dsn.get_secret_value().startswith(_EMBEDDED)
    return is_on_kafka(settings) and not embedded


def kafka_settings(settings: Settings, *, slot: str = "", epoch: int = 1) -> KafkaSettings:
    """Return what a log on Kafka is told; the slot is that given, that set, or the host's name."""
    log = settings.log
    return KafkaSettings(
        client=log.properties(),
        slot=slot or log.slot or socket.gethostname(),
        prefix=log.prefix,
        epoch=epoch,
        states=STATES,
        transaction_timeout=timedelta(milliseconds=log.transaction_timeout_ms),
        said=_LOGGER.warning,
    )


def kafka_topics(settings: Settings, clients: KafkaClients | None = None) -> KafkaTopics:
    """Return the topics, to be checked or applied."""
    log, horizon_days = settings.log, settings.attribution.horizon_days
    wish = Wish(
        partitions=log.partitions,
        replication=log.replication,
        input_retention_ms=(log.retention_days or horizon_days) * DAY_MS,
        horizon_ms=horizon_days * DAY_MS,
        transaction_timeout=timedelta(milliseconds=log.transaction_timeout_ms),
    )
    return KafkaTopics(kafka_settings(settings), clients or librdkafka(), wish)


def open_kafka(
    settings: Settings, *, slot: str = "", reading: bool = False, repairing: bool = False
) -> KafkaLog:
    """Open the log on its cluster. TopicsRefused where its topics may not be used.

    Who is only `reading` loses nothing by a wrong setting: it asks for the card alone. Who is
    `repairing` takes a state as it is, and has time for a long transaction.
    """
    clients = librdkafka()
    topics = kafka_topics(settings, clients)
    card: Card = topics.card() if reading else topics.opened()
    told = kafka_settings(settings, slot=slot, epoch=card.epoch)
    if repairing:
        told = replace(told, repairing=True, transaction_timeout=REPAIR_TRANSACTION)
    return KafkaLog(told, clients=clients)


def open_log(folder: DataFolder, settings: Settings, clock: Clock) -> Log:
    """Open the event log of the settings: that of a data folder, or that on a cluster."""
    if is_on_kafka(settings):
        # Not the slot of a worker on this host, which would be fenced.
        return open_kafka(settings, slot=f"{kafka_settings(settings).slot}{_ALL_IN_ONE}")
    return SqliteLog(folder.log, clock=clock, durability=settings.log.durability)


def librdkafka() -> KafkaClients:
    """Return the real clients; what they say is logged as everything else is.

    But not that a consumer's property means nothing to a producer: all clients are told the same.
    """
    _LOGGER.addFilter(_is_news)
    return LibrdkafkaClients(_LOGGER)


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("CONFWARN")


def store_dsn(folder: DataFolder, settings: Settings) -> str:
    """Return where the store is: what the settings say, else chDB inside the data folder.

    UserError with a log on Kafka and no DSN: nobody could tell whose store it is.
    """
    if settings.store.dsn is not None:
        return settings.store.dsn.get_secret_value()
    if is_on_kafka(settings):
        raise UserError(
            '[store] dsn is missing: with [log] kind = "kafka" it names the store, such as '
            "http://USER:PASSWORD@HOST:8123 (PNL_STORE__DSN, or PNL_STORE__DSN_FILE)."
        )
    return f"chdb://{folder.store.resolve()}"


def server_dsn(folder: DataFolder, settings: Settings) -> str:
    """Return where the store is; UserError if it is one that only one process can have open."""
    dsn = store_dsn(folder, settings)
    if dsn.startswith(_EMBEDDED):
        raise UserError(
            "[store] dsn is an embedded store, which one process has open at a time: workers need "
            "a server's http://USER:PASSWORD@HOST:8123; `pnl run` does all in one process."
        )
    return dsn


def live_risk(folder: DataFolder) -> "LiveModel | None":
    """Return the model that `pnl fit churn` kept in a folder; None where it did not."""
    if not folder.churn.is_file():
        return None
    from pnl.fitting.live import load_live_risk  # numbers' libraries come along with a model only

    return load_live_risk(folder.churn)

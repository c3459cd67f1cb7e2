"""What an error of the Kafka client means for a transaction: one function judges all of them.

Law: what we do not know is fatal. A wrong guess about money costs more than a restart.
"""

from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from typing import Final, TypeVar

from streams.clock import Deadline, pause
from streams.kafka_clients import KafkaError, KafkaException
from streams.log import Busy, Fenced, LogFailed

ANSWER_MAX: Final = timedelta(seconds=15)
_PAUSE_SECONDS: Final = 0.05
T = TypeVar("T")


class Verdict(Enum):
    """What to do about an error."""

    REPEAT = "repeat the same call"
    ABORT = "abort the transaction and process the batch again"
    FENCED = "another worker is in this slot: write nothing more"
    FATAL = "end the process, write nothing more"


_FENCED: Final = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - the library's public name for a local error
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
    }
)
_NOT_A_MEMBER: Final = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
"""The group has moved on without us: the broker refused our offsets, so the batch is void."""
_PASSING: Final = frozenset(
    {
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    }
)
_NO_LEADER: Final = frozenset({KafkaError._NOENT, KafkaError._UNKNOWN_PARTITION})  # noqa: SLF001
"""How the client says, to a question about a partition, that nobody leads it just now."""


_BEYOND_REPAIR: Final = frozenset(
    {
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
        # The broker knows nothing of a transaction that we are in: somebody ended it for us. What
        # it had may be committed in part, which the restore of the next process finds at once.
        KafkaError.INVALID_TXN_STATE,
    }
)


def error_of(raised: KafkaException) -> KafkaError:
    """Return the error that an exception carries."""
    error = raised.args[0]
    assert isinstance(error, KafkaError)
    return error


def verdict(error: KafkaError) -> Verdict:
    """Judge an error of a transaction's call."""
    code = error.code()
    if code in _FENCED:
        return Verdict.FENCED
    if error.fatal() or code in _BEYOND_REPAIR:
        return Verdict.FATAL
    if error.txn_requires_abort() or code in _NOT_A_MEMBER:
        return Verdict.ABORT
    if error.retriable() or code in _PASSING:
        return Verdict.REPEAT
    return Verdict.FATAL


def is_passing(error: KafkaError) -> bool:
    """Return whether a question may be asked again that was answered with an error."""
    return verdict(error) is Verdict.REPEAT or is_leaderless(error)


def is_leaderless(error: KafkaError) -> bool:
    """Return whether the client says of a partition that nobody leads it just now."""
    return error.code() in _NO_LEADER


def ending(error: KafkaError, what: str) -> Fenced | LogFailed:
    """Return the exception that ends this process for an error that cannot be lived with."""
    if verdict(error) is Verdict.FENCED:
        return Fenced(f"{what}: another worker took this slot over; this one must stop ({error})")
    return LogFailed(f"{what}: {error.name()}: {error.str()}")


def answered(question: Callable[[], T], what: str) -> T:
    """Ask the cluster until it answers. Busy when it does not in time, LogFailed if it refuses."""
    limit = Deadline(ANSWER_MAX)
    while True:
        try:
            return question()
        except KafkaException as raised:
            error = error_of(raised)
            told = f"{what}: {error.name()}: {error.str()}"
            if not is_passing(error):
                raise LogFailed(told) from raised
            if not limit.seconds_left():
                raise Busy(told) from raised
            pause(_PAUSE_SECONDS)

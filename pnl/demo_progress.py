"""How far a demo came, kept with what it appended.

Law: what is kept is never more than what was appended. In a log of our own both are one
transaction; on Kafka the note follows the records, so a demo that is killed between the two sends
a batch again, whose facts then end as duplicates.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from pnl.appending import append_patiently
from pnl.errors import UserError
from streams.facts import Millis
from streams.log import EventLog, Outgoing
from streams.partitions import by_partition

GROUP: Final = "demo"
_PROGRESS: Final = b"progress"
_NO_SHELF: Final = b""


class Progress(msgspec.Struct, frozen=True):
    """How far a folder's demo came."""

    seed: int
    appended: int = 0
    checksum: int = 0
    last_at: Millis | None = None
    complete: bool = False


class Keeper(Protocol):
    """Appends, and keeps how far that is."""

    def load(self) -> Progress | None:
        """Return what is kept, None at first."""
        ...

    def append(self, topics: Mapping[str, Sequence[Outgoing]], progress: Progress) -> None:
        """Append records by topic, then keep how far that is. Busy when nothing was appended."""
        ...

    def close(self) -> None:
        """Give everything up."""
        ...


class InTheLog:
    """Keeps it as state of a group of its own, in the transaction that appends."""

    def __init__(self, log: EventLog) -> None:
        self._partitions = log.partitions
        self._consumer = log.consumer(GROUP, ())

    def load(self) -> Progress | None:
        """Return what is kept, None at first."""
        found = dict(self._consumer.state.load(0, _NO_SHELF))
        return msgspec.json.decode(found[_PROGRESS], type=Progress) if found else None

    def append(self, topics: Mapping[str, Sequence[Outgoing]], progress: Progress) -> None:
        """Append records by topic and keep how far that is, or neither."""
        with self._consumer.transaction() as transaction:
            for topic, records in topics.items():
                for partition, part in by_partition(records, self._partitions).items():
                    transaction.produce(topic, partition, part)
            transaction.put_state(0, [(_PROGRESS, msgspec.json.encode(progress))])

    def close(self) -> None:
        """Give the group up."""
        self._consumer.close()


class BesideTheLog:
    """Keeps it in a file of the data folder; the log, on a cluster, chooses the partitions."""

    def __init__(self, log: EventLog, file: Path, cluster: Mapping[str, object]) -> None:
        self._log = log
        self._file = file
        self._cluster = dict(cluster)

    def load(self) -> Progress | None:
        """Return what is kept of this cluster; UserError if the file is another cluster's."""
        if not self._file.exists():
            return None
        try:
            found = json.loads(self._file.read_text("utf-8"))
            cluster, progress = found["log"], msgspec.convert(found["progress"], Progress)
        except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError):
            raise UserError(f"{self._file} cannot be read; remove it to begin again.") from None
        if cluster != self._cluster:
            raise UserError(
                f"{self._file} is of a demo on another log; name another folder with --data."
            )
        return progress

    def append(self, topics: Mapping[str, Sequence[Outgoing]], progress: Progress) -> None:
        """Append records by topic, then keep how far that is."""
        for topic, records in topics.items():
            append_patiently(self._log, topic, list(records))
        part = self._file.with_suffix(f".{os.getpid()}")
        content = {"log": self._cluster, "progress": msgspec.to_builtins(progress)}
        part.write_text(json.dumps(content), "utf-8")
        part.replace(self._file)

    def close(self) -> None:
        """Do nothing: the file is written with each batch."""

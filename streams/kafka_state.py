"""The state of a group on Kafka: in memory by partition, in a compacted topic for the next owner.

Law: the state in memory is what the topic's committed records give, and its hash is kept with
every change; so an owner that reads the topic can tell whether it has all of it and nothing more.

The hash is a sum over keys, modulo 2**63: the order of changes does not matter, and a change costs
two checksums. It finds what got lost or doubled, it is no defence against forgery.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from zlib import crc32

import msgspec

from streams.log import LogDamaged

LAST_BATCH: Final = b"\0\0last-batch"
"""The key under which a partition's topic holds the account of its last batch: no state key."""
_MASK: Final = 2**63 - 1


class LastBatch(msgspec.Struct, frozen=True):
    """Up to which input offsets a partition's state goes, and the hash it then has."""

    offsets: dict[str, int]
    hash: int
    keys: int


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(LastBatch).decode


def encode_last_batch(last: LastBatch) -> bytes:
    """Return the record value."""
    return _encode(last)


def weight_of(key: bytes, value: bytes) -> int:
    """Return what a key with its value adds to the hash."""
    of_key = crc32(key)
    mixed = of_key << 32 ^ crc32(value, of_key)
    return mixed * mixed & _MASK


class PartitionState:
    """The state of one partition: shelves of names."""

    __slots__ = ("hash", "keys", "last", "position", "shelves")

    def __init__(self) -> None:
        self.shelves: dict[bytes, dict[bytes, bytes]] = {}
        self.hash = 0
        self.keys = 0
        self.last: LastBatch | None = None
        self.position: int | None = None
        """From which offset of the topic there may be records that are not in here."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key."""
        cut = key.rfind(b"\0") + 1
        shelf = self.shelves.get(key[:cut])
        return None if shelf is None else shelf.get(key[cut:])

    def load(self, shelf: bytes) -> list[tuple[bytes, bytes]]:
        """Return every (key, value) of a shelf, in key order."""
        kept = self.shelves.get(shelf)
        return sorted([(shelf + name, value) for name, value in kept.items()]) if kept else []

    def hash_with(self, changes: Mapping[bytes, bytes | None]) -> tuple[int, int]:
        """Return hash and number of keys as they are after these changes."""
        total, keys = self.hash, self.keys
        for key, value in changes.items():
            cut = key.rfind(b"\0") + 1
            shelf = self.shelves.get(key[:cut])
            before = None if shelf is None else shelf.get(key[cut:])
            if before is not None:
                total -= weight_of(key, before)
                keys -= 1
            if value is not None:
                total += weight_of(key, value)
                keys += 1
        return total & _MASK, keys

    def apply(self, changes: Mapping[bytes, bytes | None], hash_after: tuple[int, int]) -> None:
        """Take committed changes over, with the hash that `hash_with` gave for them."""
        for key, value in changes.items():
            self.set(key, value)
        self.hash, self.keys = hash_after

    def set(self, key: bytes, value: bytes | None) -> None:
        """Set or remove one key, leaving the hash as it was."""
        cut = key.rfind(b"\0") + 1
        shelf = key[:cut]
        kept = self.shelves.get(shelf)
        if value is None:
            if kept is not None:
                kept.pop(key[cut:], None)
                if not kept:
                    del self.shelves[shelf]
        elif kept is None:
            self.shelves[shelf] = {key[cut:]: value}
        else:
            kept[key[cut:]] = value

    def restored(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take records of the topic over, in their order, leaving the hash as it was."""
        shelves = self.shelves
        for key, value in records:
            if key == LAST_BATCH:
                self.last = None if value is None else _decode(value)
            elif value is None:
                self.set(key, None)
            else:
                cut = key.rfind(b"\0") + 1
                shelf = key[:cut]
                kept = shelves.get(shelf)
                if kept is None:
                    shelves[shelf] = {key[cut:]: value}
                else:
                    kept[key[cut:]] = value

    def rehash(self) -> None:
        """Compute the hash from what is there."""
        total = keys = 0
        for shelf, kept in self.shelves.items():
            keys += len(kept)
            for name, value in kept.items():
                total += weight_of(shelf + name, value)
        self.hash, self.keys = total & _MASK, keys

    def assert_whole(self, where: str, committed: Mapping[str, int]) -> None:
        """Raise LogDamaged unless the state is that of the last batch, which is the committed one.

        `committed` holds the group's next offsets by topic, of those where it has committed any.
        """
        if self.last is None:
            if self.keys:
                raise LogDamaged(
                    f"{where}: there are {self.keys} keys of state, but no account of the batch "
                    "that wrote them; its topic was damaged or is not ours"
                )
            if committed:
                raise LogDamaged(
                    f"{where}: the group has committed offsets {dict(committed)}, but its state is "
                    "empty; the topic of the state was lost or created anew. Restore it, or begin "
                    "a new epoch"
                )
            return
        if not committed:
            raise LogDamaged(
                f"{where}: there is state up to {self.last.offsets}, but the broker has no "
                "committed offsets of the group (it forgets those of an empty group after "
                "offsets.retention.minutes); resume from the state's offsets with "
                "`pnl repair --resume`"
            )
        if self.last.offsets != dict(committed):
            raise LogDamaged(
                f"{where}: torn batch: the state goes up to {self.last.offsets}, the committed "
                f"offsets are {dict(committed)}. Nothing more is written to this partition; see "
                "`pnl repair`"
            )
        if (self.last.hash, self.last.keys) != (self.hash, self.keys):
            raise LogDamaged(
                f"{where}: torn batch: {self.keys} keys of state with hash {self.hash}, its last "
                f"batch left {self.last.keys} with {self.last.hash}; see `pnl repair`"
            )


class KafkaState:
    """What the handler reads: the committed state of the partitions that are owned."""

    def __init__(self) -> None:
        self.partitions: dict[int, PartitionState] = {}

    def load(self, partition: int, shelf: bytes) -> list[tuple[bytes, bytes]]:
        """Return every (key, value) of a shelf, in key order. KeyError if it is not owned."""
        return self.partitions[partition].load(shelf)

    def load_each(
        self, partition: int, shelves: Sequence[bytes]
    ) -> list[list[tuple[bytes, bytes]]]:
        """Return, for each shelf in the order given, what `load` would."""
        load = self.partitions[partition].load
        return [load(shelf) for shelf in shelves]

    def shelves(self, partition: int) -> Iterator[bytes]:
        """Yield every shelf there is, each once; the state may change meanwhile."""
        yield from sorted(self.partitions[partition].shelves)

"""Which partition a key belongs to.

Law: the function never changes; it decides where a customer's records lie, and a record is
never moved.
"""

import zlib
from collections.abc import Iterable

from streams.log import Outgoing


def partition_of(key: bytes | None, partitions: int) -> int:
    """Return the partition of a key: CRC-32 modulo the count; 0 for a record without one."""
    return 0 if key is None else zlib.crc32(key) % partitions


def by_partition(records: Iterable[Outgoing], partitions: int) -> dict[int, list[Outgoing]]:
    """Sort records into partitions, each in the order given; only partitions that get any."""
    sorted_in: dict[int, list[Outgoing]] = {}
    for record in records:
        partition = partition_of(record[0], partitions)
        if partition in sorted_in:
            sorted_in[partition].append(record)
        else:
            sorted_in[partition] = [record]
    return dict(sorted(sorted_in.items()))

"""Blocks of records, and the partition of a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.blocks import (
    BYTES_MAX,
    RECORDS_MAX,
    Packed,
    StoredBlock,
    pack,
    pack_sparse,
    unpack,
)
from streams.log import LogDamaged, Outgoing, Record
from streams.partitions import by_partition, partition_of

HEADERS = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=2).map(tuple)
BYTES = st.none() | st.binary(max_size=20)
RECORDS = st.lists(st.builds(Outgoing, BYTES, BYTES, HEADERS), min_size=1, max_size=30)


def stored(packed: Packed, base: int = 0) -> StoredBlock:
    """Return a block as it would be read at an offset."""
    return StoredBlock(base, base + packed.span, 5, packed.crc, packed.body)


@given(RECORDS, st.integers(0, 2**40))
def test_what_is_packed_comes_out(sent: list[Outgoing], base: int) -> None:
    """Keys, values and headers as they were, at consecutive offsets."""
    (packed,) = pack(sent)
    block = unpack("t", 3, stored(packed, base))
    assert block.records == [
        Record("t", 3, base + n, 5, r.key, r.value, r.headers) for n, r in enumerate(sent)
    ]
    assert (block.base, block.end) == (base, base + len(sent))


@given(st.sets(st.integers(0, 50)), st.integers(0, 55))
def test_a_sparse_block_keeps_offsets_and_times(offsets: set[int], wanted: int) -> None:
    """Also when nothing is left in it; the first record at or after any offset is found."""
    records = [Record("t", 0, n, n * 7, b"%d" % n, None, ()) for n in sorted(offsets)]
    block = unpack("t", 0, stored(pack_sparse(0, 60, records)))
    assert block.records == records
    assert block.end == 60
    found = block.records[block.index_of(wanted) :]
    assert [record.offset for record in found] == sorted(n for n in offsets if n >= wanted)


def test_many_records_are_split_by_count() -> None:
    """No block holds more than the limit, and none is left out."""
    packed = pack([Outgoing(None, b"x")] * (2 * RECORDS_MAX + 1))
    assert [block.records for block in packed] == [RECORDS_MAX, RECORDS_MAX, 1]


def test_large_records_are_split_by_size() -> None:
    """A block above 1 MiB is halved until it fits or is a single record."""
    sent = [Outgoing(None, bytes([n]) * (BYTES_MAX // 3)) for n in range(8)]
    packed = pack(sent)
    assert all(len(block.body) <= BYTES_MAX for block in packed)
    out = [r.value for block in packed for r in unpack("t", 0, stored(block)).records]
    assert out == [record.value for record in sent]


def test_any_changed_byte_is_found() -> None:
    """The checksum covers the whole blob; the error names the place."""
    (packed,) = pack([Outgoing(b"key", b"value")] * 3)
    for at in range(len(packed.body)):
        body = packed.body[:at] + bytes([packed.body[at] ^ 1]) + packed.body[at + 1 :]
        with pytest.raises(LogDamaged, match="t/2: the block at offset 8"):
            unpack("t", 2, StoredBlock(8, 11, 0, packed.crc, body))


def test_a_block_with_too_few_records_is_found() -> None:
    """What the row says and what the blob holds must agree."""
    (packed,) = pack([Outgoing(b"key", b"value")] * 3)
    with pytest.raises(LogDamaged, match="lacks records"):
        unpack("t", 0, StoredBlock(0, 4, 0, packed.crc, packed.body))


@pytest.mark.parametrize(
    ("key", "partition"),
    [
        (None, 0),
        (b"", 0),
        (b"customer-1", 1),
        (b"customer-2", 3),
        (b"customer-4", 2),
        (b"17850", 1),
        (b"\xff", 0),
    ],
)
def test_the_partition_of_a_key_never_changes(key: bytes | None, partition: int) -> None:
    """Written down: another function would tear customers from their history."""
    assert partition_of(key, 4) == partition


@given(RECORDS)
def test_sorting_into_partitions_keeps_order(sent: list[Outgoing]) -> None:
    """Every record lands in its key's partition, behind those that came before."""
    sorted_in = by_partition(sent, 4)
    assert list(sorted_in) == sorted(sorted_in)
    for partition, records in sorted_in.items():
        assert records == [r for r in sent if partition_of(r.key, 4) == partition]
    assert sum(map(len, sorted_in.values())) == len(sent)

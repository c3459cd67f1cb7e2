"""Under which key a record is sent, and whether the contract takes it (RUL-KEY)."""

from collections.abc import Iterable, Iterator

from pnl.importing.rows import Row, bad_row
from streams.codec import decode_value
from streams.facts import Fact, key_of
from streams.invalid import Invalid


def row_of(topic: str, line: int, value: bytes, where: str) -> Row:
    """Return the row of a record, its bytes as they are.

    One that the contract refuses is a bad row: its reason names the place, `where`.
    """
    fact = decode_value(topic, value)
    if isinstance(fact, Invalid):
        return bad_row(line, value, f"{where}: {fact.detail}")
    return Row(line, key_of(fact).encode(), value)


def facts_of(topic: str, rows: Iterable[Row]) -> Iterator[Fact]:
    """Yield the facts of the good rows; bad ones are left out."""
    for row in rows:
        if not row.reason:
            fact = decode_value(topic, row.value)
            assert not isinstance(fact, Invalid)
            yield fact

"""`pnl verify`: every law of the stored data.

Law: what is compared is of one moment. Embedded, journeys rest between two batches until the sink
has caught up with them; on a cluster workers go on, and what does not hold is looked at again once
all that was on its way is stored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from pnl.errors import CheckFailed
from pnl.pipeline import REST_WAIT, Books, Pipeline, is_stored, outputs_end
from sinks.laws import LAWS
from sinks.verify import verify, verify_moving
from streams.clock import Deadline, pause
from streams.log import LogDamaged
from streams.sqlite_log import SqliteLog

LOG_LAW: Final = "L1"
LOG_TITLE: Final = "the log's pages, offsets and blocks are in order"
LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A law that does not hold, with the first rows where it fails."""

    law: str
    title: str
    rows: tuple[Mapping[str, Any], ...]
    more: bool


def verify_all(books: Books) -> list[Breach]:
    """Return the laws that do not hold; CheckFailed if the sink is far behind."""
    if isinstance(books, Pipeline) and isinstance(books.log, SqliteLog):
        return _resting(books, books.log)
    return [
        Breach(law=each.law_id, title=each.title, rows=each.rows, more=each.more)
        for each in verify_moving(books.store, lambda: _passed(books))
    ]


def _resting(pipeline: Pipeline, log: SqliteLog) -> list[Breach]:
    with pipeline.resting() as settled:
        if not settled:
            raise _behind(pipeline)
        found = [
            Breach(law=each.law_id, title=each.title, rows=each.rows, more=each.more)
            for each in verify(pipeline.store)
        ]
        try:
            log.check()
        except LogDamaged as error:
            rows = ({"damage": str(error)},)
            found.append(Breach(law=LOG_LAW, title=LOG_TITLE, rows=rows, more=False))
    return found


def _passed(books: Books) -> bool:
    """Wait until the sinks have stored all that is in the log now."""
    ends, limit = outputs_end(books.log), Deadline(REST_WAIT)
    while not is_stored(books.log, ends):
        if not limit.seconds_left():
            raise _behind(books)
        pause(LOOK_SECONDS)
    return True


def _behind(books: Books) -> CheckFailed:
    trouble = books.store_trouble
    return CheckFailed(
        "The store did not catch up with the log within a minute"
        f"{f' ({trouble})' if trouble else ''}; see `pnl doctor`."
    )


def checked(books: Books) -> list[tuple[str, str]]:
    """Return id and title of every law that is checked."""
    of_log = [(LOG_LAW, LOG_TITLE)] if isinstance(books.log, SqliteLog) else []
    return [(law.law_id, law.title) for law in LAWS] + of_log


def render_breaches(
    breaches: Sequence[Breach],
    laws: Sequence[tuple[str, str]],
    shown: Literal["table", "json"],
) -> str:
    """Return what holds and what does not, as text."""
    broken = {breach.law: breach for breach in breaches}
    if shown == "json":
        return json.dumps(
            {
                "ok": not broken,
                "laws": [
                    {
                        "law": law,
                        "title": title,
                        "ok": law not in broken,
                        "rows": [dict(row) for row in broken[law].rows] if law in broken else [],
                        "more": law in broken and broken[law].more,
                    }
                    for law, title in laws
                ],
            },
            indent=2,
            default=_plain,
        )
    lines = []
    for law, title in laws:
        lines.append(f"{'FAIL' if law in broken else 'ok':4}  {law:3}  {title}")
        if law in broken:
            lines += [f"           {_row(row)}" for row in broken[law].rows]
            lines += ["           … and more"] if broken[law].more else []
    lines.append(
        f"{len(broken)} of {len(laws)} laws do not hold."
        if broken
        else f"All {len(laws)} laws hold."
    )
    return "\n".join(lines)


def _row(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _plain(value: object) -> object:
    """Turn what the store returns into what JSON knows."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    raise TypeError(f"not known to JSON: {type(value).__name__}")

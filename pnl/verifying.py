"""`pnl verify`: every law of the stored data, checked while nothing moves.

Law: what is compared is of one moment. Journeys rest between two batches and the sink has caught
up with them; appending goes on meanwhile.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from pnl.errors import CheckFailed
from pnl.pipeline import Pipeline
from sinks.laws import LAWS
from sinks.verify import verify
from streams.log import LogDamaged

LOG_LAW: Final = "L1"
LOG_TITLE: Final = "the log's pages, offsets and blocks are in order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A law that does not hold, with the first rows where it fails."""

    law: str
    title: str
    rows: tuple[Mapping[str, Any], ...]
    more: bool


def verify_all(pipeline: Pipeline) -> list[Breach]:
    """Return the laws that do not hold; none if all do."""
    with pipeline.resting() as settled:
        if not settled:
            raise CheckFailed(
                "The store did not catch up with the log within a minute"
                f"{f' ({trouble})' if (trouble := pipeline.store_trouble) else ''}; "
                "see `pnl doctor`."
            )
        found = [
            Breach(law=each.law_id, title=each.title, rows=each.rows, more=each.more)
            for each in verify(pipeline.store)
        ]
        try:
            pipeline.log.check()
        except LogDamaged as error:
            rows = ({"damage": str(error)},)
            found.append(Breach(law=LOG_LAW, title=LOG_TITLE, rows=rows, more=False))
    return found


def checked() -> list[tuple[str, str]]:
    """Return id and title of every law that is checked."""
    return [(law.law_id, law.title) for law in LAWS] + [(LOG_LAW, LOG_TITLE)]


def render_breaches(breaches: Sequence[Breach], shown: Literal["table", "json"]) -> str:
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
                    for law, title in checked()
                ],
            },
            indent=2,
            default=_plain,
        )
    lines = []
    for law, title in checked():
        lines.append(f"{'FAIL' if law in broken else 'ok':4}  {law:3}  {title}")
        if law in broken:
            lines += [f"           {_row(row)}" for row in broken[law].rows]
            lines += ["           … and more"] if broken[law].more else []
    lines.append(
        f"{len(broken)} of {len(checked())} laws do not hold."
        if broken
        else f"All {len(checked())} laws hold."
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

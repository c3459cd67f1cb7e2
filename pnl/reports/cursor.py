"""Where a page of a list ends, as a text that can stand in an address.

A cursor holds the sort values of the last row, so the next page starts after it whatever has
been added meanwhile. It grants nothing: filters are applied again to every page.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from pnl.reports.model import BadRequest


def write_cursor(*values: int | str) -> str:
    """Return the cursor of a row by its sort values."""
    text = json.dumps(values, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, types: Sequence[type]) -> list[Any]:
    """Return the sort values of a cursor. BadRequest if it is not one for this list."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        json.dumps(values, ensure_ascii=False).encode()
    except (ValueError, binascii.Error, RecursionError):
        values = None
    if (
        not isinstance(values, list)
        or [type(value) for value in values] != list(types)
        or any(isinstance(value, int) and abs(value) >= 2**63 for value in values)
    ):
        raise BadRequest(f"The cursor {cursor[:80]!r} is not one of this list: start again.")
    return values

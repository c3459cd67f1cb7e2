"""What a person answers to an alert, from the page: the only thing the page ever writes.

Law: an answer is taken from our own page alone. `guard` refuses another host and another origin;
beyond that a request must say that it is JSON and carry a header of ours, which no form and no
foreign script can send without asking first (a cross-origin request with it is preflighted, and we
allow none), and its Origin must be there. So a page somebody visits elsewhere answers nothing.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from pnl.alert_answers import Asked
from pnl.errors import CheckFailed, UserError
from processors.signal_records import AlertDoing
from streams.clock import Clock
from streams.facts import Millis
from streams.log import Busy, LogFailed

Answering = Callable[[Asked], str]
HEADER: Final = "x-pnl-answer"
BYTES_MAX: Final = 4_096
MONDAY_HOUR: Final = 8
_HOURS: Final = {"1h": 1, "8h": 8}
_MS: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page sends: `span`, of a snooze, is 1h, 8h or monday."""

    doing: AlertDoing
    by: str
    note: str = ""
    span: str = ""


_decode: Final = msgspec.json.Decoder(_Said).decode


def add_answers(
    api: FastAPI,
    answering: Answering,
    timezone: str,
    clock: Clock,
    given: Callable[[str], None],
) -> None:
    """Serve `POST /alerts/{id}/answer`; `given` is told the id of an alert that got one."""
    zone = ZoneInfo(timezone)

    @api.post("/alerts/{item}/answer", include_in_schema=False)
    async def answer(request: Request, item: str) -> JSONResponse:
        wrong = _foreign(request)
        if wrong:
            return JSONResponse({"error": wrong}, status_code=403)
        body = await _body(request)
        try:
            said = _decode(body)
            asked = Asked(
                doing=said.doing,
                by=said.by,
                alert_id=item,
                note=said.note,
                until=_until(said, clock.now_ms(), zone),
            )
            sentence = await asyncio.to_thread(answering, asked)
        except msgspec.DecodeError:
            return JSONResponse({"error": "This is no answer to an alert."}, status_code=400)
        except UserError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except (Busy, LogFailed, CheckFailed) as error:
            return JSONResponse({"error": f"Not written: {error}"}, status_code=503)
        given(item)
        return JSONResponse({"said": sentence})


def _foreign(request: Request) -> str:
    """Say why a request is not our own page's; nothing if it is."""
    if request.headers.get("origin") is None:  # `guard` compared it with the host, if it is there
        return "An answer is given from the page; a program appends it with `pnl alerts`."
    if request.headers.get(HEADER) != "1":
        return f"The header {HEADER} is missing."
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        return "An answer is JSON."
    return ""


async def _body(request: Request) -> bytes:
    """Return the body, or nothing of one that is longer than an answer can be."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BYTES_MAX:
            return b""
    return body


def _until(said: _Said, now: Millis, zone: ZoneInfo) -> Millis | None:
    """Return when a snooze ends; UserError if it does not say."""
    if said.doing != "snooze":
        return None
    if said.span in _HOURS:
        return now + _HOURS[said.span] * 3_600_000
    if said.span == "monday":
        return next_monday(now, zone)
    raise UserError("A snooze is for 1h, 8h or until monday.")


def next_monday(now: Millis, zone: ZoneInfo) -> Millis:
    """Return eight o'clock of the next Monday that is not today, in a zone."""
    local = (_EPOCH + now * _MS).astimezone(zone)
    day = local.date() + timedelta(days=7 - local.weekday())
    end = datetime(day.year, day.month, day.day, MONDAY_HOUR, tzinfo=zone)
    return (end.astimezone(UTC) - _EPOCH) // _MS

"""An alert as it is sent: a body for programs, a title and a text for people.

Law: of one revision the message is always the same, byte for byte.
"""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from pnl.reports.money_text import count, duration, money, share
from processors.signal_records import AlertFigure, AlertRecord
from sinks.delivery.destination import Message

TYPE: Final = "pnl.alert.v1"
CONTACTS_SHOWN: Final = 10
_STATES: Final = {
    "raised": "",
    "cleared": "Over: ",
    "acknowledged": "Acknowledged: ",
    "snoozed": "Snoozed: ",
}
_encode: Final = msgspec.json.Encoder().encode


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a webhook: what it is, when it happened (UTC), the alert as in its topic.

    Members of `data` that are null, empty or absent mean the same.
    """

    type: str
    timestamp: str
    data: AlertRecord


def identity(alert: AlertRecord) -> str:
    """Return what makes this revision itself, for a receiver to take it once."""
    return f"{alert.alert_id}-{alert.revision}"


def message_of(alert: AlertRecord, zone: ZoneInfo, locale: str, public_url: str = "") -> Message:
    """Return an alert as a message; `zone` and `locale` are those its text is written in.

    Its link begins with `public_url`, where the page is reached; it is a path where none is known.
    """
    if alert.link:
        alert = msgspec.structs.replace(alert, link=f"{public_url}{alert.link}")
    body = Envelope(
        type=TYPE,
        timestamp=datetime.fromtimestamp(alert.raised_at / 1000, UTC).isoformat(),
        data=alert,
    )
    return Message(
        id=identity(alert),
        title=f"[{alert.severity}] {_STATES[alert.state]}{alert.headline}",
        text="\n".join(_lines(alert, zone, locale)),
        severity=alert.severity,
        body=_encode(body),
    )


def _lines(alert: AlertRecord, zone: ZoneInfo, locale: str) -> list[str]:
    at = datetime.fromtimestamp(alert.raised_at // 1000, zone)
    lines = [f"{alert.headline}.", f"Since {at:%Y-%m-%d %H:%M} {zone.key}, by rule {alert.rule}."]
    if alert.by:
        lines.append(f"By {alert.by}{f': {alert.note}' if alert.note else ''}.")
    elif alert.note:
        lines.append(f"{alert.note[0].upper()}{alert.note[1:]}.")
    if alert.value_minor is not None and alert.currency:
        lines.append(f"At stake: {money(alert.value_minor, alert.currency, locale)}.")
    figures = [said for each in alert.figures if (said := _figure(each, alert, locale))]
    if figures:
        lines.append(f"Figures: {'; '.join(figures)}.")
    if alert.reasons:
        lines.append(f"Reasons: {'; '.join(alert.reasons)}.")
    if alert.contacts:
        more = len(alert.contacts) - CONTACTS_SHOWN
        shown = ", ".join(alert.contacts[:CONTACTS_SHOWN])
        lines.append(f"Contacts: {shown}{f' and {more} more' if more > 0 else ''}.")
    if alert.link:
        lines.append(f"On the page: {alert.link}")
    lines.append(f"Alert {alert.alert_id}, from {alert.source or 'unknown'}.")
    return lines


def _figure(figure: AlertFigure, alert: AlertRecord, locale: str) -> str | None:
    """Return a figure in words; None where it is not known."""
    value = figure.value
    if value is None:
        return None
    if figure.unit == "minor" and alert.currency:
        said = money(value, alert.currency, locale)
    elif figure.unit == "ppm":
        said = share(value, locale)
    elif figure.unit == "ms":
        said = duration(value)
    else:
        said = count(value, locale) if figure.unit in ("", "count") else f"{value} {figure.unit}"
    return f"{figure.name} {said}"

"""`pnl alerts test ROUTE`: one message to one route, and what became of it in a sentence.

Law: what is sent says that it is a test; nothing of it is written to the log.
"""

from typing import Final
from zoneinfo import ZoneInfo

from pnl.delivering.messages import message_of
from processors.signal_records import AlertRecord
from sinks.delivery.destination import Attempt, Destination
from sinks.delivery.routes import Route
from streams.facts import Millis

TEST: Final = "test"
_SAID: Final = {
    "delivered": "took it",
    "again": "did not take it; an alert would be tried again",
    "refused": "refused it; an alert would not be tried again",
}


def trial(
    route: Route,
    destination: Destination,
    now: Millis,
    zone: ZoneInfo,
    locale: str,
    public_url: str = "",
) -> tuple[Attempt, str]:
    """Send a test alert; return how it ended, and the sentence that says so."""
    alert = AlertRecord(
        alert_id=f"{TEST}-{now:x}",
        revision=1,
        state="raised",
        rule=TEST,
        kind=TEST,
        severity="info",
        subject_kind="system",
        subject=TEST,
        raised_at=now,
        logged_at=now,
        headline=f"This is a test of the route {route.name}; nothing has happened",
        source=f"pnl alerts test {route.name}",
        link="/alerts",
        routes=(route.name,),
    )
    attempt = destination.send(message_of(alert, zone, locale, public_url), now)
    return attempt, f"Route {route.name} {_SAID[attempt.result]} ({attempt.detail})."

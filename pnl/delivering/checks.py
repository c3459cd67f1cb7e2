"""What `pnl doctor` says of routes: whether they can be used, and what waits for them in the log.

Law: nothing is sent, and no route's URL or secret is shown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Final

from pnl.delivering.backlog import Backlog, Pace
from pnl.delivering.role import LATE
from pnl.delivering.told import HISTORY, alert_of, group_of, read_told, records
from pnl.findings import Finding
from processors.signal_records import DeliveryRecord
from sinks.delivery.opening import open_destination
from sinks.delivery.routes import Route, RouteRefused
from streams.facts import Millis
from streams.log import EventLog, TopicPartition
from streams.topics import ALERTS

LOOKED_BACK: Final = timedelta(days=7)
_MS: Final = timedelta(milliseconds=1)


def route_findings(routes: Sequence[Route]) -> Iterator[Finding]:
    """Say of each route whether it can be used as it is set."""
    for route in routes:
        try:
            open_destination(route)
        except RouteRefused as refused:
            yield Finding(
                check="alerts",
                state="fail",
                text=str(refused),
                todo=f"correct it: {route.place(refused.key)}",
            )
        else:
            yield Finding(
                check="alerts", state="ok", text=f"route {route.name}, by {route.kind}, can be used"
            )


def asked_of(routes: Sequence[Route]) -> list[dict[str, Any]]:
    """Return of routes what `delivery_findings` needs, as another process may be sent it."""
    return [
        {"name": each.name, "states": list(each.states), "ttl_hours": each.ttl_hours}
        for each in routes
    ]


def delivery_findings(
    log: EventLog, asked: Sequence[Mapping[str, Any]], now: Millis
) -> Iterator[Finding]:
    """Say of each route what waits for it, and what it did not get of late."""
    for each in asked:
        route = Route(
            name=each["name"],
            kind="webhook",
            url="",
            states=tuple(each["states"]),
            ttl_hours=each["ttl_hours"],
        )
        told = read_told(log, range(log.partitions), route.name)
        yield from _waiting(log, route, told, now)
        yield from _lost(route, told, now)


def _waiting(
    log: EventLog, route: Route, told: dict[tuple[int, str], DeliveryRecord], now: Millis
) -> Iterator[Finding]:
    committed = log.committed(group_of(route.name))
    backlog = Backlog(route, Pace(Random(0)))  # noqa: S311 - nothing is sent
    places = [TopicPartition(ALERTS, partition) for partition in range(log.partitions)]
    backlog.begin({place: committed.get(place, 0) for place in places}, told)
    for place in places:
        for record in records(log, ALERTS, place.partition, committed.get(place, 0)):
            backlog.take(place, record.offset, record.logged_at, alert_of(record))
    since = backlog.oldest(now)
    if since is None or now - since < LATE // _MS:
        text = f"route {route.name}: {_alerts(len(backlog))}, none for long"
        yield Finding(check="delivery", state="ok", text=text)
        return
    failing = [each.detail for each in told.values() if each.outcome == "retrying"]
    last = f"; the last attempt: {failing[-1]}" if failing else ""
    yield Finding(
        check="delivery",
        state="warn",
        text=f"route {route.name}: {_alerts(len(backlog))}, the oldest for "
        f"{(now - since) // 1_000:,} seconds{last}",
        todo=f"try it with `pnl alerts test {route.name}`; alerts wait in the log meanwhile",
    )


def _lost(
    route: Route, told: Mapping[tuple[int, str], DeliveryRecord], now: Millis
) -> Iterator[Finding]:
    recent = Counter(
        (each.outcome, each.detail)
        for each in told.values()
        if each.outcome in ("refused", "expired") and now - each.last_at < LOOKED_BACK // _MS
    )
    if past := recent.pop(("expired", HISTORY), 0):
        text = f"route {route.name}: {past} that told of history within a week: not sent, as meant"
        yield Finding(check="delivery", state="ok", text=text)
    if recent:
        reasons = ", ".join(
            f"{count} {outcome} ({detail})" for (outcome, detail), count in sorted(recent.items())
        )
        yield Finding(
            check="delivery",
            state="warn",
            text=f"route {route.name}: not delivered within a week: {reasons}",
            todo="`pnl alerts why ID` says what became of one, `pnl alerts list` has the ids; they"
            " are not sent again",
        )


def _alerts(waiting: int) -> str:
    return "1 alert waits" if waiting == 1 else f"{waiting} alerts wait"

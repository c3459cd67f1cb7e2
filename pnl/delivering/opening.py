"""Makes the roles of routes, or says which route cannot be used."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from pnl.delivering.role import DeliveringRole
from pnl.errors import UserError
from pnl.metrics import Metrics
from pnl.settings import Settings
from sinks.delivery.destination import Destination
from sinks.delivery.opening import open_destination
from sinks.delivery.routes import Route, RouteRefused
from streams.clock import Clock
from streams.log import EventLog


def usable(route: Route) -> Destination:
    """Return where a route leads; UserError, naming it, where it cannot be used."""
    try:
        return open_destination(route)
    except RouteRefused as refused:
        place = route.place(refused.key)
        raise UserError(f"{place} cannot be used: {refused}.") from None


def delivering_roles(
    log: EventLog, routes: Sequence[Route], settings: Settings, metrics: Metrics, clock: Clock
) -> list[DeliveringRole]:
    """Return a role for each route. UserError if one cannot be used: then none is made."""
    destinations = [usable(route) for route in routes]
    zone = ZoneInfo(settings.reporting.timezone)
    return [
        DeliveringRole(
            *(log, route, destination, metrics, clock),
            zone=zone,
            locale=settings.server.locale,
            public_url=settings.server.public_url,
        )
        for route, destination in zip(routes, destinations, strict=True)
    ]

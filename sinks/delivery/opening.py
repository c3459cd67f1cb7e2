"""Makes the destination that a route names."""

from sinks.delivery.by_apprise import AppriseDestination
from sinks.delivery.destination import Destination
from sinks.delivery.routes import Route
from sinks.delivery.webhook import WebhookDestination


def open_destination(route: Route) -> Destination:
    """Return where a route leads. RouteRefused, naming the route, if it cannot be used."""
    if route.kind == "webhook":
        return WebhookDestination(route)
    return AppriseDestination(route)

"""Makes the destination that a route names."""

from sinks.delivery.destination import Destination
from sinks.delivery.routes import Route


def open_destination(route: Route) -> Destination:
    """Return where a route leads. RouteRefused, naming the route, if it cannot be used."""
    # Each brings a library along that who sends nothing need not wait for.
    if route.kind == "webhook":
        from sinks.delivery.webhook import WebhookDestination

        return WebhookDestination(route)
    from sinks.delivery.by_apprise import AppriseDestination

    return AppriseDestination(route)

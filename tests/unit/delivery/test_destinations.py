"""Each kind of destination, held to one contract against servers that behave well and badly."""

import json
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeAlias

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from sinks.delivery.by_apprise import AppriseDestination
from sinks.delivery.destination import RETRY_AFTER_MAX, Destination, Message
from sinks.delivery.exchange import Answer
from sinks.delivery.opening import open_destination
from sinks.delivery.routes import Route, RouteRefused
from sinks.delivery.webhook import WebhookDestination, judged
from streams.clock import Stopwatch, SystemClock
from tests.support.receivers import Manner, Receiver, receiving

SECRET = "whsec_" + "c2VjcmV0" * 4
BODY = json.dumps({"type": "pnl.alert.v1", "data": {"headline": "Größer"}}).encode()
MESSAGE = Message(id="0123456789abcdef-1", title="T", text="x", severity="warning", body=BODY)
LIMIT = 0.3
NOW = 1_800_000_000_000

Open: TypeAlias = Callable[[Receiver], Destination]


def webhook(receiver: Receiver, *, url: str = "", secret: str = SECRET) -> Destination:
    """Return a webhook to a receiver."""
    return open_destination(
        Route(
            name="ops",
            kind="webhook",
            url=url or receiver.url,
            secret=secret,
            hosts=("127.0.0.1",),
            timeout_s=LIMIT,
        )
    )


def by_apprise(receiver: Receiver) -> Destination:
    """Return a service of apprise that posts JSON to a receiver."""
    return open_destination(
        Route(
            name="ops",
            kind="apprise",
            url=f"json://127.0.0.1:{receiver.port}/",
            hosts=("127.0.0.1",),
            timeout_s=LIMIT,
        )
    )


@pytest.fixture(params=[webhook, by_apprise])
def opened(request: pytest.FixtureRequest) -> Open:
    """Return what opens each kind of destination."""
    made: Open = request.param
    return made


def test_what_is_taken_is_delivered(opened: Open) -> None:
    """One request, one answer of 2xx."""
    with receiving(204) as receiver:
        assert opened(receiver).send(MESSAGE, NOW).result == "delivered"
        assert len(receiver.taken) == 1


@pytest.mark.parametrize("manner", [500, 503, 429, "hang", "cut", "nonsense"])
def test_what_may_pass_is_tried_again(opened: Open, manner: Manner) -> None:
    """A server in trouble, too busy, silent or cut off may have taken nothing."""
    with receiving(manner) as receiver:
        assert opened(receiver).send(MESSAGE, NOW).result == "again"


def test_nobody_there_is_tried_again(opened: Open) -> None:
    """A refused connection says nothing about later."""
    with receiving() as receiver:
        destination = opened(receiver)
    assert destination.send(MESSAGE, NOW).result == "again"


def test_a_redirect_is_not_followed(opened: Open) -> None:
    """Where it points was never looked at."""
    with receiving("redirect") as receiver:
        assert opened(receiver).send(MESSAGE, NOW).result != "delivered"
        assert len(receiver.taken) == 1


def test_no_detail_shows_the_url_or_the_secret(opened: Open) -> None:
    """It ends in the log and the store."""
    for manner in (500, "cut", "hang", "nonsense"):
        with receiving(manner) as receiver:
            detail = opened(receiver).send(MESSAGE, NOW).detail
            assert detail
            assert not {"http", "127.", str(receiver.port), "hook", SECRET} & set(detail.split())


@pytest.mark.parametrize("manner", ["hang", "drip", "endless"])
def test_one_attempt_ends_in_time(manner: Manner) -> None:
    """However slowly the other side goes on, and however much it says."""
    took = Stopwatch()
    with receiving(manner) as receiver:
        assert webhook(receiver).send(MESSAGE, NOW).result == "again"
        assert took.elapsed() < timedelta(seconds=4 * LIMIT)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 301])
def test_a_final_answer_is_not_asked_for_twice(status: int) -> None:
    """Of client errors only 408, 425 and 429 may pass."""
    with receiving(status) as receiver:
        attempt = webhook(receiver).send(MESSAGE, NOW)
        assert attempt.result == "refused"
        assert str(status) in attempt.detail


def test_a_destination_says_how_long_it_wants_to_rest() -> None:
    """`Retry-After` in seconds; an answer before the last one (100) is passed over."""
    with receiving("busy", "early") as receiver:
        destination = webhook(receiver)
        assert destination.send(MESSAGE, NOW).retry_after == timedelta(seconds=7)
        assert destination.send(MESSAGE, NOW).result == "delivered"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        ("99999999999", RETRY_AFTER_MAX.total_seconds()),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("soon", None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999999", None),
        ("Mon, 99999999999999999999 Jan 2024 00:00:00 GMT", None),
        ("-5", None),
        ("١٢", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(told: str | None, seconds: float | None) -> None:
    """What is neither is not guessed at, and nobody makes us wait for ever."""
    found = judged(Answer(503, told), datetime.fromtimestamp(1_000, UTC)).retry_after
    assert found == (None if seconds is None else timedelta(seconds=seconds))


def test_a_receiver_can_tell_that_a_webhook_is_ours_and_which() -> None:
    """The signature covers identity, time and body, and is that of Standard Webhooks."""
    now = SystemClock().now_ms()  # a receiver takes no message older than five minutes
    with receiving(200) as receiver:
        destination = webhook(receiver)
        destination.send(MESSAGE, now)
        destination.send(MESSAGE, now)
        first, again = receiver.taken
    assert first.id == again.id == MESSAGE.id
    assert first.body == again.body == BODY
    assert Webhook(SECRET).verify(first.body.decode(), first.fields) == json.loads(BODY)
    for changed in ({"webhook-id": "other"}, {"webhook-timestamp": str(now // 1000 + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(first.body.decode(), first.fields | changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(first.body.decode() + " ", first.fields)


def test_a_name_is_resolved_once_and_the_request_goes_where_it_led() -> None:
    """A second answer of the name's server, with another address, is never asked for."""
    asked: list[str] = []

    def resolve(name: str, _port: int) -> list[str]:
        asked.append(name)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    with receiving(200) as receiver:
        route = Route(
            name="ops",
            kind="webhook",
            url=f"http://localhost:{receiver.port}/",
            secret=SECRET,
            hosts=("localhost", "127.0.0.1"),
        )
        destination = WebhookDestination(route, resolve=resolve)
        assert destination.send(MESSAGE, NOW).result == "delivered"
        assert asked == ["localhost"]
        assert receiver.taken[0].fields["host"] == f"localhost:{receiver.port}"
        rebound = destination.send(MESSAGE, NOW)
    assert rebound.result == "again"
    assert "127.0.0.2" in rebound.detail


class Noting(ssl.SSLContext):
    """Notes for which name a connection is to be secured, and leaves it plain."""

    names: ClassVar[list[object]] = []

    def wrap_socket(self, sock: Any, *_: Any, **given: Any) -> Any:
        """Note the name."""
        self.names.append(given["server_hostname"])
        return sock


def test_tls_asks_for_the_certificate_of_the_name_at_the_address_it_led_to() -> None:
    """The pinned address is connected to; the name is what the certificate must be of."""
    with receiving(200) as receiver:
        destination = WebhookDestination(
            Route(
                name="ops",
                kind="webhook",
                url=f"https://hooks.example.com:{receiver.port}/",
                secret=SECRET,
                hosts=("hooks.example.com", "127.0.0.1"),
            ),
            resolve=lambda _name, _port: ["127.0.0.1"],
            context=Noting(ssl.PROTOCOL_TLS_CLIENT),
        )
        assert destination.send(MESSAGE, NOW).result == "delivered"
        assert receiver.taken[0].fields["host"] == f"hooks.example.com:{receiver.port}"
    assert Noting.names == ["hooks.example.com"]
    default = ssl.create_default_context()  # what is used where a test gives none
    assert (default.check_hostname, default.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_tls_is_not_given_up() -> None:
    """A server that speaks no TLS, at an https URL, gets nothing of the message."""
    with receiving(200) as receiver:
        destination = WebhookDestination(
            Route(
                name="ops",
                kind="webhook",
                url=f"https://127.0.0.1:{receiver.port}/",
                secret=SECRET,
                hosts=("127.0.0.1",),
                timeout_s=LIMIT,
            ),
            context=ssl.create_default_context(),
        )
        assert destination.send(MESSAGE, NOW).result == "again"
        assert receiver.taken == []


@pytest.mark.parametrize(
    ("kind", "url", "why"),
    [
        ("webhook", "https://evil.example/", "not in"),
        ("webhook", "https://user:pw@hooks.example.com/", "form"),
        ("apprise", "jsons://evil.example/", "not in"),
        ("apprise", "mailtos://u:p@hooks.example.com?smtp=evil.example", "not in"),
        ("apprise", "json://hooks.example.com/", "https"),
        ("apprise", "mailtos://u:p@hooks.example.com?smtp=hooks.example.com&mode=insecure", "TLS"),
        ("apprise", "slack://tokenA", "apprise cannot read"),
        ("apprise", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "slack.com"),
        ("apprise", "exec://rm", "must begin"),
        ("apprise", "", "must begin"),
    ],
)
def test_a_route_that_cannot_be_used_is_refused_at_the_start(kind: str, url: str, why: str) -> None:
    """By its name, and without its URL, which may hold a password."""
    route = Route(name="ops", kind=kind, url=url, secret=SECRET, hosts=("hooks.example.com",))  # type: ignore[arg-type]
    with pytest.raises(RouteRefused, match="route ops") as refused:
        open_destination(route)
    assert why in str(refused.value)
    assert not url or url not in str(refused.value)
    assert url not in repr(route) or not url


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "not base64!", "whsec_" + "A" * 100]
)
def test_a_secret_that_protects_nothing_is_refused(secret: str) -> None:
    """Too short, too long, or no secret."""
    with receiving() as receiver, pytest.raises(RouteRefused, match="random bytes"):
        webhook(receiver, secret=secret)


def test_a_url_of_apprise_cannot_switch_protection_off() -> None:
    """Neither redirects nor unchecked certificates can be asked for in it."""
    url = "jsons://hooks.example.com/?verify=no&redirect=yes&cto=900&rto=900"
    route = Route(name="ops", kind="apprise", url=url, hosts=("hooks.example.com",), timeout_s=2)
    service = AppriseDestination(route)._service
    assert (service.redirects, service.verify_certificate) == (False, True)
    assert service.request_timeout == (2, 2)

"""What people and programs are told: the text, the test of a route, the findings of doctor."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pnl.cli.app import outcome
from pnl.delivering.checks import asked_of, delivery_findings, route_findings
from pnl.delivering.messages import message_of
from processors.signal_records import AlertFigure
from sinks.delivery.destination import Attempt
from sinks.delivery.routes import Route
from streams.clock import ManualClock
from streams.memory_log import MemoryLog, MemoryPlace
from tests.support.receivers import Manner, receiving
from tests.unit.delivery.world import HOUR_MS, SECOND, START, World, alert, put

SECRET = "whsec_" + "c2VjcmV0" * 4
ZONE = ZoneInfo("Europe/Berlin")


def test_a_message_names_zone_figures_reasons_contacts_and_source() -> None:
    """And leaves out what is not known; its body is the record itself."""
    told = alert(
        1,
        value_minor=123_45,
        currency="GBP",
        figures=(
            AlertFigure(name="risk", value=720_000, unit="ppm"),
            AlertFigure(name="wait", value=75_000, unit="ms"),
            AlertFigure(name="chains", value=1_200, unit="count"),
            AlertFigure(name="revenue", value=-5_00, unit="minor"),
            AlertFigure(name="unheard of", value=None, unit="ppm"),
        ),
        reasons=("complaint",),
        contacts=tuple(f"k{number}" for number in range(12)),
        source="pnl.churn.v1-3-17",
        link="/customers/c1",
    )
    message = message_of(told, ZONE, "en_GB")
    for part in ("Europe/Berlin", "£123.45", "72.0", "1:15", "1,200", "complaint", "k9", "2 more"):
        assert part in message.text, part
    assert "pnl.churn.v1-3-17" in message.text
    assert "unheard of" not in message.text
    assert message.title == f"[warning] {told.headline}"
    body = json.loads(message.body)
    assert body["type"] == "pnl.alert.v1"
    assert body["data"]["alert_id"] == told.alert_id
    assert message == message_of(told, ZONE, "en_GB")
    assert "On the page: /customers/c1\n" in message.text


def test_a_link_is_a_whole_address_where_people_reach_the_page() -> None:
    """In the text and in the body alike; what is said of a revision by nobody stands there too."""
    told = alert(1, state="cleared", note="expired: nothing was heard of it for 90 days")
    told = msgspec.structs.replace(told, link="/alerts/1")
    message = message_of(told, ZONE, "en_GB", "https://pnl.example.com/x")
    assert "On the page: https://pnl.example.com/x/alerts/1\n" in message.text
    assert json.loads(message.body)["data"]["link"] == "https://pnl.example.com/x/alerts/1"
    assert "Expired: nothing was heard of it for 90 days." in message.text


@pytest.mark.parametrize(
    ("manner", "code", "said"),
    [(200, 0, "took it"), (500, 1, "tried again"), (404, 1, "refused"), ("hang", 1, "in time")],
)
def test_the_test_of_a_route_says_in_one_sentence_what_became_of_it(
    manner: Manner, code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the route's name, without its URL."""
    with receiving(manner) as receiver:
        (tmp_path / "alerts.toml").write_text(
            f'delivery.hosts = ["127.0.0.1"]\n[routes.ops]\nkind = "webhook"\n'
            f'url = "{receiver.url}"\nsecret = "{SECRET}"\ntimeout_seconds = 0.3\n'
        )
        assert outcome(["alerts", "test", "ops", "--data", str(tmp_path)]) == code
        shown = capsys.readouterr().out
        assert shown.startswith("Route ops ")
        assert said in shown
        assert shown.count("\n") == 1
        assert str(receiver.port) not in shown
        assert json.loads(receiver.taken[0].body)["data"]["rule"] == "test"


def test_a_route_that_is_not_there_or_not_usable_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is that of a mistake."""
    (tmp_path / "alerts.toml").write_text(
        f'[routes.ops]\nkind = "webhook"\nurl = "https://evil.example/x"\nsecret = "{SECRET}"\n'
    )
    for name in ("ops", "else"):
        assert outcome(["alerts", "test", name, "--data", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        assert name in said
        assert name == "else" or "alerts.toml, line 3: [routes.ops] url cannot be used: " in said
        assert "evil.example/x" not in said


def test_doctor_names_the_route_whose_destination_takes_nothing() -> None:
    """How much waits and since when, what the last attempt met, what was lost of late."""
    clock = ManualClock(START)
    log = MemoryLog(MemoryPlace(clock, 2))
    world = World(log, clock)
    asked = asked_of([world.route])
    assert [each.state for each in delivery_findings(log, asked, clock.now_ms())] == ["ok"]
    put(log, alert(1), alert(2), alert(3, quiet_until=START + 9 * HOUR_MS))
    world.destination.answers = [Attempt("refused", "answered 410")]
    world.destination.answers += [Attempt("again", "answered 503")] * 99
    for _ in range(30):
        world.run(10 * SECOND)
    waiting, lost = delivery_findings(log, json.loads(json.dumps(asked)), clock.now_ms())
    assert (waiting.state, lost.state) == ("warn", "warn")
    assert "2 alerts wait" in waiting.text
    assert "503" in waiting.text
    assert "1 refused (answered 410)" in lost.text
    assert "`pnl alerts why ID`" in lost.todo


def test_doctor_warns_of_no_history_and_counts_one_as_one() -> None:
    """What tells of the past is sent to nobody, as it should be."""
    clock = ManualClock(START)
    log = MemoryLog(MemoryPlace(clock, 2))
    world = World(log, clock)
    put(log, alert(1, raised_at=START - 400 * 24 * HOUR_MS))
    world.run(10 * SECOND)
    put(log, alert(2, quiet_until=START + 9 * HOUR_MS))
    found = list(delivery_findings(log, asked_of([world.route]), clock.now_ms()))
    assert [each.state for each in found] == ["ok", "ok"]
    assert "1 alert waits" in found[0].text
    assert "1 that told of history" in found[1].text


def test_doctor_says_of_each_route_whether_it_can_be_used() -> None:
    """Before anything is sent."""
    good = Route(
        name="ops", kind="webhook", url="https://h.example/", secret=SECRET, hosts=("h.example",)
    )
    bad = Route(name="mail", kind="apprise", url="exec://rm")
    assert [each.state for each in route_findings([good, bad])] == ["ok", "fail"]

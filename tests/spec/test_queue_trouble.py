"""Trouble in a queue: told when waits and resolution say so beyond chance, and not before."""

import pytest

from processors.conditions import DAY_MS, HOUR_MS, Thresholds
from processors.detecting import Held
from processors.service import missed, overload, watch_level
from processors.usual import Usual, usual_of
from processors.windows import PANE_MS, Tally

T = Thresholds()
DAY = 20_002 * DAY_MS
PLACE = "orders\0voice"
NOON = DAY + 12 * HOUR_MS


def hours(start: int) -> dict[str, Tally]:
    """Return the sums of an hour: 60 calls from nine to six, waits of a minute that scatter."""
    hour, day = start % DAY_MS // HOUR_MS, start // DAY_MS
    if not 9 <= hour < 18:
        return {}
    wait = 60_000 + (day * 7 + hour * 5) % 13 * 2_000
    sums = Tally(chains=60, handled=60, wait_ms=60 * wait, resolved=16, unresolved=4)
    return {PLACE: sums._replace(offers_missed=6)}


def restless(start: int) -> dict[str, Tally]:
    """Return such an hour of days that offer much, and of days that offer little."""
    return {
        place: sums._replace(offers_missed=(2, 10)[start // DAY_MS // 7 % 2])
        for place, sums in hours(start).items()
    }


@pytest.fixture(scope="module")
def usual() -> Usual:
    """Return what the day is usually like."""
    return usual_of(DAY, hours, "UTC")


def pane(wait_s: int, resolved: int = 1, unresolved: int = 0) -> dict[str, Tally]:
    """Return five minutes of five calls that waited so long."""
    sums = Tally(chains=5, wait_ms=5_000 * wait_s, resolved=resolved, unresolved=unresolved)
    return {PLACE: sums}


def holds(usual: Usual, *panes: dict[str, Tally]) -> bool:
    """Say whether trouble is told, the newest pane first."""
    said, _ = overload(panes, usual, {}, T, NOON, "p")
    return any(each.holds for each in said)


def test_a_weekday_is_what_four_of_them_were(usual: Usual) -> None:
    """Sums are of the same weekday; scatter is of all 28 days around their own weekday."""
    assert usual.weeks == 4
    assert usual.queues["orders"].chains == 4 * 9 * 60
    assert usual.expected(NOON, NOON + HOUR_MS // 2) == 30
    assert usual.expected(DAY, DAY + HOUR_MS) == 0
    assert usual.scatter["orders"][12].hours == 28
    error = usual.log_error("orders", 12, 60)
    assert error is not None
    assert 0.03 < error < 0.15
    assert usual.log_error("orders", 12, 15) == pytest.approx(2 * error)
    assert usual_of(DAY, lambda _: {}, "UTC") == Usual(DAY)


def test_waits_are_told_from_the_factor_on(usual: Usual) -> None:
    """Three times the usual wait is told; one and a half is not, however sure."""
    assert holds(usual, *[pane(216)] * 6)
    assert not holds(usual, *[pane(108)] * 6)
    assert not holds(usual, *[pane(72)] * 6)


def test_resolution_alone_is_told(usual: Usual) -> None:
    """Half as much resolved, with waits as ever."""
    assert holds(usual, *[pane(72, 1, 4)] * 6)
    assert not holds(usual, *[pane(72, 4, 1)] * 6)


def test_few_contacts_say_nothing(usual: Usual) -> None:
    """Twenty-five contacts that wait for ever, of whose end little is known."""
    assert not holds(usual, *[pane(2_000, 0, 0)] * 5)


def test_trouble_is_over_after_two_quiet_windows(usual: Usual) -> None:
    """What holds goes on holding through one quiet window."""
    held = {"orders": Held(holds=True)}
    answers = []
    for age in range(2):
        said, held = overload([pane(72)] * 6, usual, held, T, NOON + age * PANE_MS, "p")
        answers.append(said[0].holds)
    assert answers == [True, False]


def test_missed_offers_are_told_by_the_bound(usual: Usual) -> None:
    """A tenth is usual; a third of two hundred is told, a fifth of forty is chance."""
    many = {"orders": Tally(handled=200, offers_missed=66)}
    few = {"orders": Tally(handled=40, offers_missed=8)}
    for now, expected in ((many, True), (few, False)):
        said, _ = missed(now, usual, {}, T, NOON, "p")
        assert [each.holds for each in said] == [expected]


def test_offers_that_stray_from_day_to_day_are_held_to_more(usual: Usual) -> None:
    """Days between a thirtieth and a sixth: a third of two hundred may be one more of them."""
    strays = usual_of(DAY, restless, "UTC")
    assert usual.strays["orders"].times == 1
    assert strays.strays["orders"].times > 5
    many = {"orders": Tally(handled=200, offers_missed=66)}
    assert [each.holds for each in missed(many, strays, {}, T, NOON, "p")[0]] == [False]


def test_offers_of_one_weekday_say_nothing() -> None:
    """How far days lie apart is not known of one of them."""
    one = usual_of(DAY, lambda start: hours(start) if start >= DAY - 7 * DAY_MS else {}, "UTC")
    assert one.weeks == 1
    many = {"orders": Tally(handled=200, offers_missed=150)}
    assert missed(many, one, {}, T, NOON, "p")[0] == ()


def test_what_shows_slowly_is_told_by_more_contacts(usual: Usual) -> None:
    """A little less resolved is nothing in thirty contacts, and something in a hundred and more."""
    pane_of = {PLACE: Tally(chains=5, wait_ms=5 * 72_000, resolved=2, unresolved=2)}
    assert not holds(usual, *[pane_of] * 6)
    assert holds(usual, *[pane_of] * 24)


def test_each_look_costs_its_share_of_the_level() -> None:
    """A week of looks, nine tests each, leaves five percent together."""
    assert watch_level(T) * 9 * 7 * 24 * 12 == pytest.approx(0.05)

"""What if: what is read off measured relations, and what is refused."""

import numpy as np
import pytest

from processors.whatif import (
    OUTSIDE_MAX,
    Hours,
    PriceLevel,
    Relations,
    Worth,
    priced,
    relations,
)

WORTH = (1000.0, 900.0, 200.0)


def given_up(load: float) -> float:
    """Return the true share that gives up under a load."""
    return min(0.6, max(0.0, load - 0.6))


def centre(seed: int, hours: int = 3000) -> tuple[Hours, list[Worth]]:
    """Simulate hours of classes answered, late, given up; and what customers bring after."""
    lots = np.random.default_rng(seed)
    load = lots.uniform(0.4, 1.2, hours)
    offered = lots.integers(5, 30, hours)
    lost = np.array([given_up(each) for each in load])
    ended = np.array(
        [
            lots.multinomial(n, [(1 - p) * 0.7, (1 - p) * 0.3, p])
            for n, p in zip(offered, lost, strict=True)
        ],
        dtype=float,
    )
    worth = []
    for mean in WORTH:
        drawn = lots.exponential(mean, 400)
        worth.append(Worth(400, float(drawn.sum()), float((drawn**2).sum())))
    return Hours(load, ended, offered / 2), worth


def measured(seed: int) -> tuple[Relations, Hours]:
    """Return the relations of a simulated centre."""
    hours, worth = centre(seed)
    found = relations(hours, worth)
    assert found is not None
    return found, hours


def truth(hours: Hours, change: float) -> float:
    """Return what customers would bring more, by the rules of the simulation."""
    before = np.array([given_up(each) for each in hours.load])
    after = np.array([given_up(each / (1 + change)) for each in hours.load])
    answered = 0.7 * WORTH[0] + 0.3 * WORTH[1]
    return float((hours.episodes * (before - after) * (answered - WORTH[2])).sum())


def test_staffing_gives_back_what_the_centre_would_do() -> None:
    """Fewer at work: more give up, customers bring less, near the truth of the simulation."""
    found, hours = measured(1)
    fewer, more = found.staffed(-0.04), found.staffed(0.1)
    assert fewer.given_up > found.staffed(0.0).given_up > more.given_up
    assert fewer.service_level < found.staffed(0.0).service_level < more.service_level
    assert fewer.value == pytest.approx(truth(hours, -0.04), rel=0.15)
    assert more.value == pytest.approx(truth(hours, 0.1), rel=0.15)
    assert found.staffed(0.0).value == 0


def test_its_intervals_cover_the_truth() -> None:
    """95 % of 200 simulated centres, within the error of counting them."""
    covered = 0
    for seed in range(200):
        found, hours = measured(seed)
        low, high = found.staffed(0.1).value_interval
        covered += low <= truth(hours, 0.1) <= high
    assert 180 <= covered <= 199


def test_nothing_is_said_beyond_what_was_observed() -> None:
    """A cut that puts too many contacts under a load never seen is refused; the least is told."""
    found, _ = measured(1)
    assert not found.staffed(-0.3).observed
    lowest = found.lowest()
    assert lowest.observed
    assert lowest.change < 0
    assert not found.staffed(lowest.change - 0.005).observed
    assert 0 < lowest.outside <= OUTSIDE_MAX


def test_a_service_level_is_reached_by_the_fewest_who_do() -> None:
    """Just reached, and not with less; what was never seen is refused."""
    found, _ = measured(1)
    today = found.staffed(0.0).service_level
    reached = found.reaching(today + 0.01)
    assert reached is not None
    assert reached.service_level >= today + 0.01
    assert found.staffed(reached.change - 0.005).service_level < today + 0.01
    assert found.reaching(0.99) is None


def test_too_little_tells_nothing() -> None:
    """One load, few contacts, nobody known: None, not a guess."""
    hours, worth = centre(1)
    same = Hours(np.ones(3000), hours.ended, hours.episodes)
    few = Hours(hours.load[:5], hours.ended[:5], hours.episodes[:5])
    assert relations(same, worth) is None
    assert relations(few, worth) is None
    assert relations(hours, [Worth(5, 5.0, 5.0)] * 3) is None


def test_a_class_of_few_episodes_is_worth_what_all_are() -> None:
    """So it moves nothing by itself."""
    hours, worth = centre(1)
    thin = relations(hours, [*worth[:2], Worth(3, 0.0, 0.0)])
    assert thin is not None
    rich = measured(1)[0]
    assert abs(thin.staffed(0.1).value) < abs(rich.staffed(0.1).value) / 2


def test_a_price_is_read_between_prices_that_were_charged() -> None:
    """At 10.00 30 % pay, at 12.00 20 %: at 11.00 a quarter does, with an interval."""
    cheap, dear = PriceLevel(1000, 3000, 10_000), PriceLevel(1200, 2000, 10_000)
    found = priced([cheap, dear], dear, -1 / 12)
    assert found is not None
    assert sum(found) / 2 == pytest.approx(0.25 * 1100 - 0.2 * 1200)
    assert found.low < 35 < found.high
    same = priced([cheap, dear], dear, 0.0)
    assert same is not None
    assert tuple(same) == pytest.approx((0.0, 0.0))


def test_a_price_never_charged_is_not_guessed() -> None:
    """One price alone tells nothing about another."""
    only = PriceLevel(1000, 300, 1000)
    assert priced([only], only, 0.05) is None
    assert priced([only, PriceLevel(1200, 200, 1000)], only, 0.5) is None

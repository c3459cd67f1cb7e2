"""Service measures from counts: shares, scores, means, and how sure they are."""

from random import Random

from processors.confidence import Sample
from processors.measures import (
    UNKNOWN,
    Figure,
    agents_shares,
    mean,
    net_promoters,
    occupancy,
    share,
)


def ends(figure: Figure) -> tuple[int, int]:
    """Return the interval of a figure that must have one."""
    assert figure.low is not None
    assert figure.high is not None
    return figure.low, figure.high


def test_a_share_of_nothing_is_unknown() -> None:
    """No case: no share of 0 %, and no occupancy either."""
    assert share(0, 0) == UNKNOWN
    assert net_promoters(0, 0, 0) == UNKNOWN
    assert occupancy(0, 0) is None
    assert mean(Sample(0, 0, 0)) == UNKNOWN


def test_a_share_stands_with_its_interval() -> None:
    """VEC-CI: 0 of 20 may still be 16 %."""
    assert share(0, 20) == Figure(0, 0, 161_125)


def test_an_agent_with_few_cases_has_no_figure() -> None:
    """G-AGENT: 29 cases say nothing of a person; with 30 all is drawn to the mean."""
    few, one, other = agents_shares([(29, 29), (9, 30), (12, 40)])
    assert few == UNKNOWN
    assert one.value == other.value == 300_000
    low, high = ends(one)
    assert low < 300_000 < high


def test_passives_count_in_the_base() -> None:
    """KPI-NPS: five promoters and two detractors of ten are 30 points, not 43."""
    found = net_promoters(5, 2, 10)
    assert found.value == 300_000
    low, high = ends(found)
    assert -250_000 < low < 300_000 < high < 750_000


def test_three_happy_answers_are_no_certainty() -> None:
    """A score of 100 out of three may be far lower."""
    found = net_promoters(3, 0, 3)
    assert found.value == found.high == 1_000_000
    assert ends(found)[0] < 300_000


def test_the_interval_of_the_score_holds_the_truth() -> None:
    """Of 2,000 surveys of 40 answers, 93 to 97 % hold the true score of 25."""
    rng = Random(3)
    held = 0
    for _ in range(2000):
        draws = [rng.random() for _ in range(40)]
        promoters, detractors = sum(x < 0.5 for x in draws), sum(x > 0.75 for x in draws)
        low, high = ends(net_promoters(promoters, detractors, 40))
        held += low <= 250_000 <= high
    assert 0.93 <= held / 2000 <= 0.97


def test_a_mean_of_few_has_no_interval() -> None:
    """Three answers have a mean; an interval would claim too much."""
    assert mean(Sample(3, 10, 38)) == Figure(3)
    assert mean(Sample(30, 90, 300)).low is not None

"""KPI-ATTR: who is seen no more, of how many, in a year."""

from processors.attrition import Seen, Turnover, turnover


def year(agent: str, *months: int) -> list[Seen]:
    """Return an agent seen on the first ten days of months of thirty days."""
    return [Seen(agent, 30 * month, 30 * month, 30 * month + 9) for month in months]


ALL = [*year("ann", *range(12)), *year("bob", *range(12)), *year("cid", *range(6))]


def test_leavers_are_counted_against_the_average_headcount() -> None:
    """Three for half a year, two after it: 2.5 heads, one gone in the 310 days that can tell."""
    found = turnover(ALL, 0, 360, 340 + 30, 60)
    assert (found.agents, found.headcount, found.gone) == (3, 2.5, 1)
    assert found.yearly_ppm == round(1 / 2.5 * 365.25 / 310 * 1_000_000)


def test_who_was_seen_lately_is_not_gone() -> None:
    """Of the last sixty days nobody can tell, and a period within them has no rate."""
    assert turnover(ALL, 0, 360, 200, 60).gone == 0
    assert turnover(ALL, 330, 360, 360, 60) == Turnover(2, 2.0, 0, None)


def test_a_leaver_stands_where_last_seen() -> None:
    """Cid was last seen in the sixth month."""
    assert turnover(ALL, 150, 180, 400, 60).gone == 1
    assert turnover(ALL, 180, 210, 400, 60).gone == 0


def test_without_contacts_nothing_is_known() -> None:
    """No agents, no headcount, no rate."""
    assert turnover([], 0, 30, 400, 60) == Turnover(0, None, 0, None)

"""Who was at work, and who is seen no more: turnover as far as contacts show it (KPI-ATTR).

Law: nobody's contract is known here, only their contacts. An agent counts in a month with a
contact in it; one who was not seen for so many days since is taken for gone, in the row of the
last contact. Who left lately cannot be told yet, so such days are in no rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.facts import Day

YEAR_DAYS = 365.25


@dataclass(frozen=True, slots=True)
class Seen:
    """An agent in one month: the month's first day, the first and last day of contact in it."""

    agent_id: str
    month: Day
    first: Day
    last: Day


@dataclass(frozen=True, slots=True)
class Turnover:
    """Agents seen; how many on average a month; gone; gone a year per head, in ppm."""

    agents: int
    headcount: float | None
    gone: int
    yearly_ppm: int | None


def turnover(seen: Sequence[Seen], start: Day, end: Day, today: Day, absent_days: int) -> Turnover:
    """Return the turnover of the days [start, end) as known on `today`.

    Only days at least `absent_days` before `today` can tell who left; the rate is of these.
    """
    within = [each for each in seen if each.last >= start and each.first < end]
    agents = {each.agent_id for each in within}
    months: dict[Day, set[str]] = {}
    for each in within:
        months.setdefault(each.month, set()).add(each.agent_id)
    last: dict[str, Day] = {}
    for each in seen:
        last[each.agent_id] = max(each.last, last.get(each.agent_id, each.last))
    known_until = min(end, today - absent_days)
    gone = sum(start <= day < known_until for day in last.values())
    headcount = sum(map(len, months.values())) / len(months) if months else None
    begun = max(start, min((each.first for each in seen), default=start))
    days = known_until - begun
    yearly = None
    if headcount and days > 0:
        yearly = round(gone / headcount * YEAR_DAYS / days * 1_000_000)
    return Turnover(len(agents), headcount, gone, yearly)

"""What no single customer's facts can tell of a period: paid time nobody used, and what is left.

Law: in every currency that has payroll, C1 + C2 + C7 = -payroll, to the minor unit. C2 pays an
instant once, however many shifts or contacts of the agent hold it, so what concurrent chats cost
twice in C1 comes back in C7.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from processors.intervals_of_time import Stretch, covered_ms, overlap, union
from processors.money import at_rate
from processors.policy import Policy
from streams.facts import Millis, PeriodLine

SHIFT_MS_MAX: Final = 86_400_000
"""A payroll cost of one agent over more than this is pay, but no shift (C2)."""


@dataclass(frozen=True, slots=True)
class Work:
    """A stretch in which a leg kept its agent busy, and for whom."""

    stretch: Stretch
    queue: str
    team: str


@dataclass(frozen=True, slots=True)
class AgentTime:
    """What is known of one agent's time in a period: shifts paid, with a queue, and contacts."""

    agent_id: str
    shifts: Sequence[tuple[Stretch, str]]
    work: Sequence[Work]


def idle_lines(
    time: AgentTime, days: Iterable[Stretch], policy_at: Callable[[Millis], Policy]
) -> tuple[PeriodLine, ...]:
    """Return C2 of one agent, a line per local day: -(shift - on contact) x loaded rate.

    `days` are the local days of the period, as instants; a shift over midnight is cut there. Both
    sides are unions, so shifts that overlap pay once, too. The rate is that of the day (DEF-RATE,
    RUL-C1: by agent, else by queue). A day belongs to the queue of the shift, else to the one the
    agent worked longest for on it (a tie: the first by name), and to that work's team.
    """
    shifts = union(stretch for stretch, _ in time.shifts)
    busy = overlap(shifts, (work.stretch for work in time.work))
    lines = []
    for day in days:
        idle_ms = covered_ms(overlap(shifts, (day,))) - covered_ms(overlap(busy, (day,)))
        if idle_ms == 0:
            continue
        queue, team = _place(time, day)
        policy = policy_at(day[0])
        amount = at_rate(idle_ms, idle_rate(time.agent_id, queue, policy))
        if amount:
            lines.append(
                PeriodLine(
                    line="C2",
                    basis="standard",
                    amount_minor=-amount,
                    currency=policy.currency,
                    effective_at=day[0],
                    queue=queue,
                    team=team,
                    agent_id=time.agent_id,
                )
            )
    return tuple(lines)


def idle_rate(agent_id: str, queue: str, policy: Policy) -> int:
    """Return the loaded rate of an agent's idle hour: by agent, else queue, else default."""
    by_agent = policy.loaded_per_hour_minor_by_agent.get(agent_id)
    if by_agent is not None:
        return by_agent
    return policy.loaded_per_hour_minor_by_queue.get(queue, policy.loaded_per_hour_minor)


def absorption_lines(
    payroll_minor: Mapping[str, int],
    handling_minor: Mapping[str, int],
    idle_minor: Mapping[str, int],
    effective_at: Millis,
) -> tuple[PeriodLine, ...]:
    """Return C7 per currency that has payroll: what C1 and C2 leave of it, so that all add up.

    By currency: `payroll_minor` as paid (positive), `handling_minor` (C1) and `idle_minor` (C2)
    as booked (negative). A currency without payroll has no C7: what was paid is not known there.
    """
    return tuple(
        PeriodLine(
            line="C7",
            basis="booked",
            amount_minor=amount,
            currency=currency,
            effective_at=effective_at,
        )
        for currency, paid in sorted(payroll_minor.items())
        if (amount := -paid - handling_minor.get(currency, 0) - idle_minor.get(currency, 0))
    )


def sums(lines: Iterable[PeriodLine]) -> dict[str, int]:
    """Return what lines add up to, by currency."""
    found: dict[str, int] = defaultdict(int)
    for line in lines:
        found[line.currency] += line.amount_minor
    return dict(found)


def _place(time: AgentTime, day: Stretch) -> tuple[str, str]:
    """Return queue and team of an agent's day."""
    named = next(
        (queue for stretch, queue in time.shifts if queue and overlap([stretch], [day])), ""
    )
    worked: dict[tuple[str, str], int] = defaultdict(int)
    for work in time.work:
        if not named or work.queue == named:
            worked[work.queue, work.team] += covered_ms(overlap([work.stretch], [day]))
    worked = {place: ms for place, ms in worked.items() if ms}
    if not worked:
        return named, ""
    return min(worked, key=lambda place: (-worked[place], place))

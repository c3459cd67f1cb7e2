"""The figures of a month as facts, and which of them say something new.

Law: nothing is stated that stands in the ledger already. A fact's revision is its run and, in its
low bits, a hash of what it says: so two jobs that state different things at once never use one
revision for both (RUL-SAME); the higher stands, and the next run of either makes it good.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from pnl.periods.names import Named
from pnl.periods.reading import Booked, Reader
from processors.periods import absorption_lines, idle_lines, sums
from processors.policy import PolicyBook
from streams.facts import Millis, Period, PeriodLine
from streams.grammar import PERIOD_LINES_MAX

Figures = Mapping[str, Sequence[PeriodLine]]
"""What is stated of a month, by the id of the fact: `2026-04/C7`, `2026-04/C2/agent`."""

HASH_BITS: Final = 16
AGENT_CHARS_MAX: Final = 200


def payroll_figures(reader: Reader, period: Named, rules: PolicyBook) -> Figures:
    """Return C2, a fact per agent, and C7 of a month."""
    days = tuple(period.days(rules.zone))
    found: dict[str, Sequence[PeriodLine]] = {}
    idle: dict[str, int] = defaultdict(int)
    for time in reader.times(period):
        lines = idle_lines(time, days, rules.at)
        if lines:
            found[f"{period.name}/C2/{_short(time.agent_id)}"] = lines
        for currency, amount in sums(lines).items():
            idle[currency] += amount
    end = period.stretch(rules.zone)[1]
    rest = absorption_lines(reader.payroll(period), reader.handling(period), idle, end - 1)
    if rest:
        found[f"{period.name}/C7"] = rest
    return found


def news(
    period: Named, figures: Figures, booked: Mapping[str, Booked], at: Millis, lines: Iterable[str]
) -> list[Period]:
    """Return the facts to state so that what is booked becomes the figures; none if it is so.

    Only facts about `lines` (C2, C7 ...) are looked at: the others are somebody else's.
    """
    ours = set(lines)
    found = []
    wanted = {name: set(part) for name, part in _parts(figures).items()}
    for name in sorted({*wanted, *booked}):
        if name.split("/")[1] not in ours:
            continue
        before = booked.get(name, Booked(0, frozenset()))
        due = wanted.get(name, set())
        if due != before.lines:
            fact = Period(
                event_id=name,
                period=period.name,
                kind="figures",
                occurred_at=at,
                lines=tuple(sorted(due, key=msgspec.structs.astuple)),
            )
            found.append(replace(fact, revision=_revision(before.revision, fact)))
    return found


def _parts(figures: Figures) -> dict[str, list[PeriodLine]]:
    """Return the figures with lines alike put together, cut into facts that fit a value."""
    found: dict[str, list[PeriodLine]] = {}
    for name, lines in figures.items():
        alike: dict[PeriodLine, list[int]] = {}
        for line in lines:
            sum_ = alike.setdefault(replace(line, amount_minor=0, variance_minor2=0), [0, 0])
            sum_[0] += line.amount_minor
            sum_[1] += line.variance_minor2
        whole = [
            replace(line, amount_minor=amount, variance_minor2=variance)
            for line, (amount, variance) in alike.items()
            if amount or variance
        ]
        for start in range(0, len(whole), PERIOD_LINES_MAX // 2):
            part = whole[start : start + PERIOD_LINES_MAX // 2]
            found[f"{name}/{start}" if start else name] = part
    return found


def _revision(former: int, fact: Period) -> int:
    """Return the revision of the run after a former one (0: none)."""
    said = hashlib.sha256(msgspec.msgpack.encode(fact)).digest()
    run = (former >> HASH_BITS) + 1
    return run << HASH_BITS | int.from_bytes(said[: HASH_BITS // 8])


def _short(agent_id: str) -> str:
    """Return an agent's id, or a hash of one that is too long to be a part of another id."""
    if len(agent_id) <= AGENT_CHARS_MAX:
        return agent_id
    return hashlib.sha256(agent_id.encode()).hexdigest()

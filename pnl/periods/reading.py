"""What the job reads of the store: the time of agents, payroll and handling, what it booked.

Law: amounts come from the ledger before the cut and nowhere else, so C1 + C2 + C7 = -payroll
holds at the cut exactly. An agent's contacts are read with some others' at a time, never all.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from pnl.periods.cut import Cut
from pnl.periods.names import Named, month
from pnl.reports.as_reported import before_cut
from pnl.reports.period import local_date
from pnl.reports.sql import Bounds, Queryable, Row, Where, in_ledger_during, instant
from processors.intervals_of_time import on_contact
from processors.periods import SHIFT_MS_MAX, AgentTime, Work
from processors.policy import PolicyBook
from processors.results import PAYROLL
from streams.facts import Millis, PeriodLine
from streams.topics import CONTACT_FACTS, COST_FACTS, LEDGER

LEGS_MAX: Final = 100_000
"""So many legs are in memory at once, of as many agents as they are of."""
MINE: Final = "cause_fact = 'period'"

_SHIFTS: Final = f"""
SELECT agent_id, queue, toUnixTimestamp64Milli(assumeNotNull(period_start)) AS start,
    toUnixTimestamp64Milli(assumeNotNull(period_end)) AS end
FROM v_costs
WHERE kind = 'payroll' AND agent_id != '' AND period_start IS NOT NULL AND period_end IS NOT NULL
    AND start < end AND end - start <= {SHIFT_MS_MAX}
    AND start < {{until:Int64}} AND end > {{since:Int64}}
ORDER BY agent_id, start, end, queue"""

_TOUCHING: Final = (
    f"started_at < {instant('until')}"
    " AND toUnixTimestamp64Milli(ended_at) + wrap_ms > {since:Int64}"
)
_COUNTS: Final = f"""
SELECT arrayJoin(leg_agents) AS agent, count() AS legs FROM v_contacts
WHERE hasAny(leg_agents, {{agents:Array(String)}}) AND {_TOUCHING} GROUP BY agent"""
_WORK: Final = f"""
SELECT agent, groupArray((
    toUnixTimestamp64Milli(assumeNotNull(connected)), toUnixTimestamp64Milli(ended),
    wrap, queue, if(agent = last_agent, its_team, ''))) AS legs
FROM (
    SELECT leg_agent AS agent, leg_queue AS queue, leg_connected AS connected,
        leg_ended AS ended, leg_wrap AS wrap, agent_id AS last_agent, team AS its_team
    FROM v_contacts
    ARRAY JOIN leg_agents AS leg_agent, leg_queues AS leg_queue, leg_connected_at AS leg_connected,
        leg_ended_at AS leg_ended, leg_wrap_ms AS leg_wrap
    WHERE hasAny(leg_agents, {{agents:Array(String)}}) AND {_TOUCHING})
WHERE has({{agents:Array(String)}}, agent) AND connected IS NOT NULL
GROUP BY agent"""

_DIMENSIONS: Final = (
    "queue", "team", "agent_id", "channel", "reason", "kind", "contact_id", "case_id", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Booked:
    """What stands in the ledger of one statement of ours: its run, and its lines."""

    revision: int
    lines: frozenset[PeriodLine]


class Reader:
    """Reads a store up to a cut, by the rules' days and currency."""

    def __init__(self, store: Queryable, rules: PolicyBook, cut: Cut) -> None:
        self._store = store
        self._rules = rules
        self._cut = cut

    def times(self, period: Named) -> Iterator[AgentTime]:
        """Yield the time of every agent with a shift in the period, by agent."""
        since, until = period.stretch(self._rules.zone)
        asked: dict[str, object] = {"since": since, "until": until}
        shifts: dict[str, list[tuple[tuple[Millis, Millis], str]]] = defaultdict(list)
        for row in self._store.query(_SHIFTS, asked):
            shifts[row["agent_id"]].append(((row["start"], row["end"]), row["queue"]))
        for agents in self._together(sorted(shifts), asked):
            rows = self._store.query(_WORK, asked | {"agents": agents})
            work = {row["agent"]: [_work(leg) for leg in row["legs"]] for row in rows}
            for agent in agents:
                found = [each for each in work.get(agent, ()) if each is not None]
                yield AgentTime(agent, shifts[agent], found)

    def _together(self, agents: list[str], asked: dict[str, object]) -> Iterator[list[str]]:
        """Yield groups of agents with about LEGS_MAX legs each."""
        if not agents:
            return
        rows = self._store.query(_COUNTS, asked | {"agents": agents})
        legs = {row["agent"]: row["legs"] for row in rows}
        group: list[str] = []
        size = 0
        for agent in agents:
            if group and size + legs.get(agent, 0) > LEGS_MAX:
                yield group
                group, size = [], 0
            group.append(agent)
            size += legs.get(agent, 0)
        yield group

    def payroll(self, period: Named) -> dict[str, int]:
        """Return what was paid, by currency; a currency without payroll is not there."""
        return {
            currency: -amount
            for currency, amount in self._line(period, PAYROLL).items()
            if amount != 0
        }

    def handling(self, period: Named) -> dict[str, int]:
        """Return C1, by currency."""
        return self._line(period, "C1")

    def _line(self, period: Named, line: str) -> dict[str, int]:
        where = self._ledger(period).also("line = {line:String}", line=line)
        rows = self._store.query(
            "SELECT currency, sum(toInt128(amount_minor)) AS total FROM v_ledger"
            f" WHERE {where} GROUP BY currency",
            where.parameters,
        )
        return {row["currency"]: int(row["total"]) for row in rows}

    def booked(self, period: Named) -> dict[str, Booked]:
        """Return what we have booked of a period, by the id of the fact."""
        where = (
            self._ledger(period).also(MINE).also("customer_id = {name:String}", name=period.name)
        )
        key = ", ".join(("line", "basis", "currency", "effective_at", *_DIMENSIONS))
        rows = self._store.query(
            f"SELECT cause_id, {key}, toUnixTimestamp64Milli(effective_at) AS at,"
            " sum(toInt128(amount_minor)) AS total, sum(toInt128(variance_minor2)) AS variance,"
            " max(cause_revision) AS run"
            f" FROM v_ledger WHERE {where} GROUP BY cause_id, {key}",
            where.parameters,
        )
        runs: dict[str, int] = defaultdict(int)
        lines: dict[str, set[PeriodLine]] = defaultdict(set)
        for row in rows:
            runs[row["cause_id"]] = max(runs[row["cause_id"]], row["run"])
            if row["total"] or row["variance"]:
                lines[row["cause_id"]].add(_line_of(row))
        return {name: Booked(run, frozenset(lines[name])) for name, run in runs.items()}

    def _ledger(self, period: Named) -> Where:
        where = in_ledger_during(Where(), Bounds(*period.stretch(self._rules.zone)))
        return before_cut(where, self._cut.epoch, *self._cut.of(LEDGER))

    def touched(self, since: Cut | None) -> tuple[Named, ...]:
        """Return the months whose figures may have changed since a cut, oldest first.

        None: since we last booked any, as far as the ledger alone can tell.
        """
        if since is None:
            return self._months(
                "SELECT toStartOfMonth(effective_at, {zone:String}) AS month FROM v_ledger"
                f" WHERE line IN ('C1', '{PAYROLL}', 'C2', 'C7') GROUP BY month"
                f" HAVING countIf(line = '{PAYROLL}') > 0"
                f" AND maxIf(booked_at, NOT {MINE}) >= maxIf(booked_at, {MINE})",
                Where(),
            )
        ledger = self._after(since, LEDGER).also(f"line IN ('C1', '{PAYROLL}')")
        costs = self._after(since, COST_FACTS).also("kind = 'payroll'")
        contacts = self._after(since, CONTACT_FACTS)
        start = "toStartOfMonth({}, {{zone:String}})"
        found = {
            *self._months(_each("v_ledger", [start.format("effective_at")], ledger), ledger),
            *self._months(
                _each(
                    "v_costs",
                    [
                        start.format(f"ifNull({column}, occurred_at)")
                        for column in ("occurred_at", "period_start", "period_end")
                    ],
                    costs,
                ),
                costs,
            ),
            *self._months(
                _each(
                    "v_contacts", [start.format("started_at"), start.format("ended_at")], contacts
                ),
                contacts,
            ),
        }
        return tuple(sorted(found, key=lambda each: each.start))

    def _after(self, since: Cut, topic: str) -> Where:
        before = before_cut(Where(), since.epoch, *since.of(topic))
        return Where((f"NOT ({before})",), before.parameters)

    def _months(self, sql: str, where: Where) -> tuple[Named, ...]:
        asked = {**where.parameters, "zone": self._rules.first.timezone}
        days: set[date] = {row["month"] for row in self._store.query(sql, asked)}
        return tuple(month(day) for day in sorted(days))

    def is_live(self, period: Named, deadline: Millis) -> bool:
        """Say whether most of a period was booked before its deadline: while it happened."""
        where = self._ledger(period).also(f"NOT {MINE} AND cause_fact != 'configuration'")
        where = where.also("1", deadline=deadline)
        (row,) = self._store.query(
            f"SELECT countIf(booked_at < {instant('deadline')}) AS live, count() AS entries"
            f" FROM v_ledger WHERE {where}",
            where.parameters,
        )
        return bool(2 * row["live"] > row["entries"])

    def extent(self) -> tuple[Named, ...]:
        """Return every month from the first to the last that anything is effective in."""
        (row,) = self._store.query(
            "SELECT count() AS entries, toUnixTimestamp64Milli(min(effective_at)) AS first,"
            " toUnixTimestamp64Milli(max(effective_at)) AS last FROM v_ledger"
        )
        if not row["entries"]:
            return ()
        last = local_date(row["last"], self._rules.zone)
        found = [month(local_date(row["first"], self._rules.zone))]
        while found[-1].end <= last:
            found.append(month(found[-1].end))
        return tuple(found)


def _each(view: str, months: list[str], where: Where) -> str:
    return f"SELECT DISTINCT arrayJoin([{', '.join(months)}]) AS month FROM {view} WHERE {where}"


def _work(leg: tuple[Millis, Millis, int, str, str]) -> Work | None:
    connected, ended, wrap, queue, team = leg
    stretch = on_contact(connected, ended, wrap)
    return None if stretch is None else Work(stretch, queue, team)


def _line_of(row: Row) -> PeriodLine:
    return PeriodLine(
        line=row["line"],
        basis=row["basis"],
        amount_minor=int(row["total"]),
        currency=row["currency"],
        effective_at=row["at"],
        variance_minor2=int(row["variance"]),
        **{name: row[name] for name in _DIMENSIONS},
    )

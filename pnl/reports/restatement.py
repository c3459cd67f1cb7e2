"""What was reported of a closed period, what is known of it now, and why the two differ.

Law (I9, DEF-RESTATED): restated = reported + late + revision + identity + configuration +
maturity, line for line and in total. The causes come from the entries themselves: which fact made
us book, whether it had said something else before, whether it had stood under another customer.

C7 is what C1 and C2 leave of the payroll, so its change belongs to the causes that moved those
three. C2 of an agent's day changes for what changed that agent's contacts or pay between two runs
of the period job.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Final, Literal, TypeAlias

from pnl.reports.accrual import RANGE_EARNED, TERM_LENGTH, spread_entries
from pnl.reports.as_reported import Closing, NothingReported, closing_of
from pnl.reports.model import Scope
from pnl.reports.period import day_number, rfc3339
from pnl.reports.sheet import Asking, Cell, Row, Sheet, SheetColumn, SheetReport, with_interval
from pnl.reports.sql import Queryable, Where, bounds_of, in_currency, in_ledger_during
from processors.policy import DAY_MS, HOUR_MS, Policy
from processors.results import PAYROLL
from processors.statement import LINES
from streams.facts import Millis

Reason: TypeAlias = Literal["late", "revision", "identity", "configuration", "maturity"]
REASONS: Final[tuple[Reason, ...]] = ("late", "revision", "identity", "configuration", "maturity")

ESTIMATES: Final[Mapping[str, str]] = {"D1": "Retention credit", "D2": "Referral credit"}
BOOKED: Final[Mapping[str, tuple[str, str]]] = {
    line.line: (line.title, line.basis) for line in LINES if line.line not in ESTIMATES
}
SHOWN: Final[Mapping[str, tuple[str, str]]] = {
    **BOOKED,
    **{line: (title, "estimated") for line, title in ESTIMATES.items()},
}
TITLE: Final = "As reported and as restated"
_PLAIN: Final = "toInt128(amount_minor)"
_Z: Final = 1.959963984540054
_BEFORE: Final = DAY_MS
_AFTERWARDS: Final = 2 * DAY_MS + HOUR_MS
"""A contact that runs past midnight, a shift paid on the next day: so far from the idle day."""
_BY_RATE: Final[Reason] = "configuration"
"""Where nobody's contacts or pay moved, the rate of the idle hour did."""
_NONE: Final[Mapping[str, str]] = {}

# The cause of an entry that a fact of a source made us book. A fact that was withdrawn under one
# customer and came under another has moved (DEF-IDENTITY); one that had booked under a lower
# revision was revised; any other was late.
_REASON: Final = """multiIf(
    entry.cause_fact = 'period', 'period',
    entry.cause_fact = 'configuration', 'configuration',
    entry.repair != '', 'revision',
    moved.customers > 1 AND moved.revised, 'identity',
    entry.cause_revision > fact.first_revision, 'revision',
    'late')"""

_AFTER: Final = """
WITH after AS (
    WITH {term_length} AS days
    SELECT line, cause_fact, cause_id, customer_id, cause_revision, repair, agent_id,
        effective_at, booked_at, {amount} AS amount, variance_minor2 AS variance
    FROM v_ledger WHERE {where}),
facts AS (
    SELECT cause_fact, cause_id, customer_id, min(cause_revision) AS first_revision,
        max(cause_revision) > first_revision AS revised
    FROM v_ledger WHERE (cause_fact, cause_id) IN (SELECT cause_fact, cause_id FROM after)
    GROUP BY cause_fact, cause_id, customer_id),
moves AS (
    SELECT cause_fact, cause_id, count() AS customers, max(facts.revised) AS revised
    FROM facts GROUP BY cause_fact, cause_id)
SELECT entry.line AS line, {reason} AS reason, {columns}
    sum(entry.amount) AS total, sum(toInt128(entry.variance)) AS variance, count() AS entries
FROM after AS entry
LEFT JOIN facts AS fact ON fact.cause_fact = entry.cause_fact
    AND fact.cause_id = entry.cause_id AND fact.customer_id = entry.customer_id
LEFT JOIN moves AS moved ON moved.cause_fact = entry.cause_fact
    AND moved.cause_id = entry.cause_id
GROUP BY line, reason{group}"""


@dataclass(slots=True)
class Bridge:
    """What led from reported to restated on one line."""

    reported_minor: int = 0
    variance_before: int = 0
    variance_after: int = 0
    entries: int = 0
    by_reason: dict[Reason, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))

    @property
    def restated_minor(self) -> int:
        """Everything that is effective in the period."""
        return self.reported_minor + sum(self.by_reason.values())


@dataclass(frozen=True, slots=True)
class _Moment:
    """Entries of one reason about one agent's time, booked at one time."""

    reason: Reason
    effective_at: Millis
    booked_at: Millis
    entries: int


def restatement(
    store: Queryable, policy: Policy, scope: Scope, closing: Closing
) -> tuple[dict[str, Bridge], int]:
    """Return the bridge of every line and, beside them, of the payroll; and what C7 lags behind.

    The last is not 0 while the period job has not yet seen what came last; C7 then has it as
    *late*, so the bridge adds up nevertheless.
    """
    assert scope.start is not None
    assert scope.end is not None
    bridges: dict[str, Bridge] = defaultdict(Bridge)
    bounds = bounds_of(scope.start, scope.end, policy.zone)
    plain = in_ledger_during(in_currency(Where(), scope.currency), bounds)
    plain = plain.also("term_start IS NULL").also(
        "line IN {lines:Array(String)}", lines=[*SHOWN, PAYROLL]
    )
    spread = in_currency(spread_entries(), scope.currency).also(
        "1", day_first=day_number(scope.start), day_end=day_number(scope.end)
    )
    for where, amount in ((plain, _PLAIN), (spread, RANGE_EARNED)):
        _add_reported(bridges, store, closing.limit(where), amount)
        _add_reasons(bridges, store, closing.beyond(where), amount)
    _share_idle(bridges["C2"], store, closing.beyond(plain))
    return bridges, _share_absorption(bridges)


def _add_reported(bridges: dict[str, Bridge], store: Queryable, where: Where, amount: str) -> None:
    rows = store.query(
        f"WITH {TERM_LENGTH} AS days SELECT line, sum({amount}) AS total,"
        " sum(toInt128(variance_minor2)) AS variance"
        f" FROM v_ledger WHERE {where} GROUP BY line",
        where.parameters,
    )
    for row in rows:
        bridges[row["line"]].reported_minor += int(row["total"])
        bridges[row["line"]].variance_before += int(row["variance"])


def _add_reasons(bridges: dict[str, Bridge], store: Queryable, where: Where, amount: str) -> None:
    for row in store.query(_after(where, amount), where.parameters):
        bridge = bridges[row["line"]]
        bridge.variance_after += int(row["variance"])
        bridge.entries += row["entries"]
        if row["reason"] != "period":
            bridge.by_reason[row["reason"]] += int(row["total"])
        elif row["line"] in ESTIMATES:
            bridge.by_reason["maturity"] += int(row["total"])
        elif row["line"] == "C7":
            bridge.by_reason["late"] += int(row["total"])  # shared out below


def _share_idle(bridge: Bridge, store: Queryable, where: Where) -> None:
    """Give each change of an agent's idle day to what changed that agent's day before it."""
    where = where.also("has(['C1', 'C2', {payroll:String}], line)", payroll=PAYROLL)
    times = {name: f"toUnixTimestamp64Milli(entry.{name}_at)" for name in ("effective", "booked")}
    sql = _after(where, _PLAIN, {"agent": "entry.agent_id", **times})
    changes: dict[tuple[str, Millis], list[tuple[Millis, int]]] = defaultdict(list)
    moments: dict[str, list[_Moment]] = defaultdict(list)
    for row in store.query(sql, where.parameters):
        if row["reason"] != "period":
            moments[row["agent"]].append(
                _Moment(row["reason"], row["effective"], row["booked"], row["entries"])
            )
        elif row["line"] == "C2":
            changes[row["agent"], row["effective"]].append((row["booked"], int(row["total"])))
    runs = sorted({booked for each in changes.values() for booked, _ in each})
    for (agent, day), moved in changes.items():
        for booked, total in moved:
            since = runs[bisect_left(runs, booked) - 1] if booked != runs[0] else 0
            before = [each for each in moments[agent] if each.booked_at <= booked]
            fresh = [each for each in before if each.booked_at > since]
            bridge.by_reason[_likely(fresh, day) or _likely(before, day) or _BY_RATE] += total


def _likely(moments: Sequence[_Moment], day: Millis) -> Reason | None:
    """Return the reason that most entries of an agent's day have, else of those about it."""
    for first, last in ((0, DAY_MS), (-_BEFORE, _AFTERWARDS)):
        counts: Counter[Reason] = Counter()
        for each in moments:
            if first <= each.effective_at - day < last:
                counts[each.reason] += each.entries
        if counts:
            return max(counts, key=lambda reason: (counts[reason], -REASONS.index(reason)))
    return None


def _share_absorption(bridges: Mapping[str, Bridge]) -> int:
    """Give C7's change to the causes of what it absorbs; return what C7 has not absorbed yet."""
    payroll, moved = bridges[PAYROLL], bridges["C7"].by_reason
    if payroll.reported_minor == payroll.restated_minor == 0:
        return 0
    left = sum(moved.values())
    for reason in REASONS:
        due = payroll.by_reason[reason] - sum(
            bridges[line].by_reason[reason] for line in ("C1", "C2")
        )
        moved[reason] = due
        left -= due
    if payroll.reported_minor and payroll.restated_minor:
        moved["late"] += left
        return left
    # Payroll came, or went, as a whole: so did C7, for the same reason.
    moved[max(REASONS, key=lambda reason: abs(payroll.by_reason[reason]))] += left
    return 0


def _after(where: Where, amount: str, columns: Mapping[str, str] = _NONE) -> str:
    """Return the statement that sums what came after a closing, by line and reason."""
    return _AFTER.format(
        where=where,
        amount=amount,
        reason=_REASON,
        term_length=TERM_LENGTH,
        columns="".join(f"{column} AS {name}, " for name, column in columns.items()),
        group="".join(f", {name}" for name in columns),
    )


COLUMNS: Final = (
    SheetColumn("line", "Line", "text"),
    SheetColumn("title", "Title", "text"),
    SheetColumn("basis", "Basis", "text"),
    *with_interval(SheetColumn("reported_minor", "As reported", "amount_minor", "DEF-REPORTED")),
    *with_interval(SheetColumn("restated_minor", "As restated", "amount_minor", "DEF-RESTATED")),
    SheetColumn("difference_minor", "Difference", "amount_minor", "DEF-RESTATED"),
    *(
        SheetColumn(f"{reason}_minor", reason.title(), "amount_minor", "DEF-RESTATED")
        for reason in REASONS
    ),
    SheetColumn("entries", "Entries since", "count", "DEF-RESTATED"),
)


def make(asking: Asking) -> Sheet:
    """Return a row per line; the total is the booked operating result, without estimates.

    No row, and a note that says why, where nothing was reported.
    """
    try:
        closing = closing_of(asking.store, asking.scope)
    except NothingReported as nothing:
        return asking.sheet("restatement", TITLE, COLUMNS, (), notes=(str(nothing),))
    bridges, lag = restatement(asking.store, asking.policy, asking.scope, closing)
    whole = Bridge()
    for line in BOOKED.keys() & bridges.keys():
        whole.reported_minor += bridges[line].reported_minor
        whole.entries += bridges[line].entries
        for reason in REASONS:
            whole.by_reason[reason] += bridges[line].by_reason[reason]
    notes = [f"{closing.period} was closed at {rfc3339(closing.closed_at)}."]
    if lag:
        notes.append("The period job has not yet seen all of it: C2 and C7 will change.")
    return asking.sheet(
        "restatement",
        TITLE,
        COLUMNS,
        [
            _row(line, title, basis, bridges.get(line, Bridge()))
            for line, (title, basis) in SHOWN.items()
        ],
        total=_row("", "Booked operating result", "", whole),
        notes=notes,
    )


def _row(line: str, title: str, basis: str, bridge: Bridge) -> Row:
    reported, restated = bridge.reported_minor, bridge.restated_minor
    after = bridge.variance_before + bridge.variance_after
    estimated = line in ESTIMATES
    return (
        line,
        title,
        basis,
        *_with_interval(reported, bridge.variance_before, estimated=estimated),
        *_with_interval(restated, after, estimated=estimated),
        restated - reported,
        *(bridge.by_reason[reason] for reason in REASONS),
        bridge.entries,
    )


def _with_interval(amount: int, variance: int, *, estimated: bool) -> tuple[Cell, Cell, Cell]:
    """Return an amount and its 95 % interval; what is booked has none, no estimate is unknown."""
    if not estimated:
        return amount, None, None
    if amount == 0 and variance == 0:
        return None, None, None
    half = round(_Z * sqrt(variance))
    return amount, amount - half, amount + half


RESTATEMENT: Final = SheetReport(
    name="restatement",
    title=TITLE,
    summary="A closed period as it was reported and as it is known now, with the causes.",
    make=make,
    definitions={
        "DEF-REPORTED": "What stood in the ledger when the period was closed. It never moves.",
        "DEF-RESTATED": "All that is effective in the period. It differs by cause: late, a fact"
        " that came after the closing; revision, one that was changed or withdrawn; identity, one"
        " that moved to another customer; configuration, rates and models that were corrected;"
        " maturity, estimates replaced by what happened.",
    },
)

"""`pnl report guardrails`: whether the figures are used in a way that harms those they are about.

Law: each guardrail says *ok*, *alert* or *unknown* and why, from intervals and not from numbers
that merely differ. Sales per hour is off; turned on it stands unranked beside its harms, and
never by agent (G-SPH). What the centre can change stands apart from what is laid on it (W79).
"""

from collections.abc import Callable, Mapping
from typing import Final

from pnl.reports import guardrail_counts as counts
from pnl.reports import service_counts
from pnl.reports.grouping import Key, key_heads
from pnl.reports.guardrail_money import control, sales_per_hour, value
from pnl.reports.guardrail_words import WORDS
from pnl.reports.model import CONTACT_DIMENSIONS, BadRequest
from pnl.reports.opportunities import WORDS as OPPORTUNITY_WORDS
from pnl.reports.options import choice
from pnl.reports.period import day_number
from pnl.reports.service import whole_number
from pnl.reports.sheet import HIGH, LOW, Asking, Cell, Row, Sheet, SheetColumn, SheetReport, Unit
from processors import guardrails as rules
from processors import measures
from processors.confidence import Sample
from processors.guardrails import Change, Verdict
from processors.money import PPM

_TITLE: Final = "Guardrails"
OPTIONS: Final = {
    "view": "summary (default), pressure, value, consistency, load, control, sales_per_hour",
    "exposure_days": "days after a contact in which sales and refunds are compared (14)",
    "over_percent": "occupancy above which work is too much (85)",
    "hours": "for how long (2)",
    "csat_max": "the best answer of the satisfaction scale (5)",
    "csat_good": "the least answer that is good (4)",
    "risk": "off (default) or on: compare the change of customers' churn risk too (fits a model)",
    "sales_per_hour": "off (default) or on: show sales per hour beside its harms",
}
MEASURED: Final = ("resolved", "transferred", "csat", "conversion")
"""What consistency is looked at for: shares of contacts or cases, by who or what served them."""


def make(asking: Asking) -> Sheet:
    """Return a view. BadRequest where a view cannot be split as asked."""
    view = choice(asking.options, "view", tuple(_VIEWS))
    if asking.by and view in ("summary", "consistency", "load"):
        raise BadRequest(f"view={view} has rows of its own: leave --by out.")
    return _VIEWS[view](asking)


Changes = tuple[Change, Change, Change, Change | None]
"""Of sales per contact, refunds, satisfaction, and, if it is asked for, risk."""


def changes(asking: Asking) -> dict[Key, Changes]:
    """Return, by key, how a period differs from the one before."""
    both = counts.periods(asking, counts.exposure(asking))
    if both is None:
        return {}
    sold = [counts.selling(each, counts.exposure(asking)) for each in both]
    said = [service_counts.answers(each, *counts.scale(asking)) for each in both]
    risks: list[dict[Key, Sample]] | None = None
    if counts.with_risk(asking):
        from pnl.reports.guardrail_risk import risk_changes  # brings scipy along

        assert both[1].scope.start is not None
        known_until = day_number(both[1].scope.start) - 1
        risks = risk_changes(both, known_until, counts.exposure(asking))
    none = Sample(0, 0.0, 0.0)
    return {
        key: (
            rules.mean_change("sales per contact", *(counts.sample(s, key) for s in sold)),
            rules.share_change(
                "refunds", *(counts.pair(s, key, "back_chains", "sold_chains") for s in sold)
            ),
            rules.share_change(
                "satisfaction", *(counts.pair(s, key, "good_n", "csat_n") for s in said)
            ),
            None
            if risks is None
            else rules.mean_change("risk", *(each.get(key, none) for each in risks)),
        )
        for key in sorted({*sold[0], *sold[1]})
    }


def _changed(name: str, title: str, unit: Unit, word: str) -> tuple[SheetColumn, ...]:
    stem = f"{name}_change_{'minor' if unit == 'amount_minor' else 'ppm'}"
    return (
        SheetColumn(f"{name}_{'minor' if unit == 'amount_minor' else 'ppm'}", title, unit, word),
        SheetColumn(stem, "change", unit, "G-PRESSURE"),
        SheetColumn(stem + LOW, "from", unit, "DEF-CI"),
        SheetColumn(stem + HIGH, "to", unit, "DEF-CI"),
    )


def _change_cells(change: Change, scale: int) -> tuple[Cell, ...]:
    now, before, interval = change.now, change.before, change.interval
    moved = None if now is None or before is None else round((now - before) * scale)
    ends = (None, None) if interval is None else tuple(round(end * scale) for end in interval)
    return (None if now is None else round(now * scale), moved, *ends)


def _pressure(asking: Asking) -> Sheet:
    columns = (
        *key_heads(asking.by),
        SheetColumn("state", "State", "text", "G-STATE"),
        *_changed("sales", "Sales per contact", "amount_minor", "G-SALES"),
        *_changed("refunds", "Sales with a refund", "ppm", "G-REFUNDS"),
        *_changed("csat", "CSAT", "ppm", "KPI-CSAT"),
        *_changed("risk", "Risk after contact", "ppm", "G-RISK"),
        SheetColumn("reason", "Why", "text", "G-PRESSURE"),
    )
    rows: list[Row] = []
    for key, (sales, refunds, csat, risk) in changes(asking).items():
        verdict = rules.pressure(sales, refunds=refunds, satisfaction=csat, risk=risk)
        figures = (
            *_change_cells(sales, 1),
            *_change_cells(refunds, PPM),
            *_change_cells(csat, PPM),
            *(_change_cells(risk, PPM) if risk else (None,) * 4),
        )
        rows.append((*key, verdict.state, *figures, verdict.reason))
    return asking.sheet("guardrails", "Pressure to sell", columns, rows, notes=_compared(asking))


def _compared(asking: Asking) -> list[str]:
    both = counts.periods(asking, counts.exposure(asking))
    if both is None:
        return []
    now, before = (f"{each.scope.start} to {each.scope.end}" for each in both)
    days = counts.exposure(asking)
    compared = (
        f"{now} against {before} (ends not included): what came within {days} days of"
        " each contact; younger contacts are in neither. Seasons differ: an alert is a question."
    )
    if counts.with_risk(asking):
        return [compared]
    return [compared, "The risk of the customers is not looked at: --set risk=on does."]


def _shares(asking: Asking, unit: str) -> dict[str, list[tuple[int, int]]]:
    """Return (part, whole) of each measure, of every agent, team, queue or channel."""
    question = counts.in_all(asking, (unit,))
    cases = service_counts.cases(question)
    volumes = service_counts.volumes(question, 0)
    said = service_counts.answers(question, *counts.scale(asking))
    sold = service_counts.sales(question)
    named = sorted(key for key in volumes if key[0])
    return {
        "resolved": [counts.pair(cases, key, "solved_n", "told_n") for key in named],
        "transferred": [counts.pair(volumes, key, "transferred_n", "handled_n") for key in named],
        "csat": [counts.pair(said, key, "good_n", "csat_n") for key in named],
        "conversion": [
            (
                counts.pair(sold, key, "sold_chains_n", "")[0],
                counts.pair(volumes, key, "", "handled_n")[1],
            )
            for key in named
        ],
    }


def _spreads(asking: Asking) -> list[tuple[str, str, rules.Spread | None]]:
    found: list[tuple[str, str, rules.Spread | None]] = []
    for unit in ("agent", "team", "queue", "channel"):
        shares = _shares(asking, unit)
        found += [(measure, unit, rules.spread(shares[measure])) for measure in MEASURED]
    return found


def _consistency(asking: Asking) -> Sheet:
    columns = (
        SheetColumn("measure", "Measure", "text", "M47"),
        SheetColumn("across", "Across", "text", "M47"),
        SheetColumn("units", "of 30 cases or more", "count", "M47"),
        SheetColumn("mean_ppm", "Mean", "ppm", "M47"),
        SheetColumn("spread_ppm", "Spread", "ppm", "M47"),
        SheetColumn("least_ppm", "Least", "ppm", "M47"),
        SheetColumn("most_ppm", "Most", "ppm", "M47"),
    )
    rows: list[Row] = [
        (measure, unit, 0, None, None, None, None)
        if each is None
        else (
            *(measure, unit, each.units, each.mean_ppm),
            *(each.deviation_ppm, each.least_ppm, each.most_ppm),
        )
        for measure, unit, each in _spreads(asking)
    ]
    return asking.sheet("guardrails", "Consistency", columns, rows)


def _overloads(asking: Asking) -> tuple[list[tuple[str, str, rules.Overload]], int]:
    over = whole_number(asking.options, "over_percent", 85) * 10_000
    for_ms = whole_number(asking.options, "hours", 2) * 3_600_000
    if for_ms == 0:
        raise BadRequest("hours must be at least 1.")
    found: list[tuple[str, str, rules.Overload]] = []
    looked_at = 0
    for unit in ("agent", "queue"):
        for name, spans in counts.work(asking, unit).items():
            looked_at += 1
            stretches = rules.overloads(spans, counts.SPAN_MS, over_ppm=over, for_ms=for_ms)
            found += [(unit, name, each) for each in stretches]
    return found, looked_at


def _load(asking: Asking) -> Sheet:
    columns = (
        SheetColumn("unit", "Of", "text", "G-LOAD"),
        SheetColumn("name", "Name", "text", "G-LOAD"),
        SheetColumn("from_at", "From", "time", "G-LOAD"),
        SheetColumn("to_at", "To", "time", "G-LOAD"),
        SheetColumn("occupancy_ppm", "Occupancy", "ppm", "KPI-OCC"),
    )
    found, looked_at = _overloads(asking)
    rows: list[Row] = [
        (unit, name, each.start, each.end, each.occupancy_ppm) for unit, name, each in found
    ]
    notes = [] if looked_at else ["No shifts (payroll costs of an agent for up to 24 h): unknown."]
    return asking.sheet("guardrails", "Too much work", columns, rows, notes=notes)


def verdicts(asking: Asking) -> list[Verdict]:
    """Return what each guardrail says of a question's scope."""
    alone = counts.in_all(asking)
    by_queue = {
        key[0] or "(no queue)": rules.pressure(sales, refunds=refunds, satisfaction=csat, risk=risk)
        for key, (sales, refunds, csat, risk) in changes(counts.in_all(asking, ("queue",))).items()
    }
    pressed = {str(name): each for name, each in by_queue.items()}
    found, looked_at = _overloads(alone)
    worth = counts.value(alone, *counts.scale(asking)[:2])[()]
    said = service_counts.answers(alone, *counts.scale(asking)).get((), {})
    resolved = measures.share(worth["well_n"], worth["known_n"]).value
    answered = measures.share(int(said.get("answered_n", 0)), int(said.get("asked_n", 0))).value
    agents = rules.spread(_shares(alone, "agent")["resolved"])
    return [
        rules.SALES_PER_HOUR_OFF,
        rules.pressed(pressed),
        rules.judged(resolved, answered),
        rules.consistent("agents' resolution", agents),
        rules.load(len(found), looked_at),
    ]


def _summary(asking: Asking) -> Sheet:
    columns = (
        SheetColumn("guardrail", "Guardrail", "text", "G-STATE"),
        SheetColumn("state", "State", "text", "G-STATE"),
        SheetColumn("reason", "Why", "text", "G-STATE"),
        SheetColumn("means", "What it guards", "text", "G-STATE"),
    )
    rows: list[Row] = [
        (each.guardrail, each.state, each.reason, WORDS[each.guardrail].split(". ")[0] + ".")
        for each in verdicts(asking)
    ]
    return asking.sheet("guardrails", _TITLE, columns, rows, notes=_compared(asking))


_VIEWS: Final[Mapping[str, Callable[[Asking], Sheet]]] = {
    "summary": _summary,
    "pressure": _pressure,
    "value": value,
    "consistency": _consistency,
    "load": _load,
    "control": control,
    "sales_per_hour": sales_per_hour,
}

GUARDRAILS: Final = SheetReport(
    name="guardrails",
    title=_TITLE,
    summary="Pressure to sell, value as customers judge it, consistency, overload, and what the"
    " centre can control.",
    make=make,
    dimensions=CONTACT_DIMENSIONS,
    options=OPTIONS,
    definitions={**WORDS, "R4": OPPORTUNITY_WORDS["R4"]},
    views=tuple(_VIEWS),
)

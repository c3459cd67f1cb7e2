"""The service measures: of each its columns, the counts it needs, and what it makes of them.

Law: a measure is one place: what it is called, what it means (an id in `service_words`), and how
it comes from counts. By agent every share obeys G-AGENT.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from pnl.reports.grouping import Key, time_part
from pnl.reports.sheet import HIGH, LOW, Cell, SheetColumn, Unit
from processors import measures
from processors.confidence import Sample
from processors.measures import Figure
from processors.money import divide_half_even

Source: TypeAlias = Literal[
    "volumes", "cases", "answers", "sales", "customers", "occupancy", "costs", "people"
]
Counted: TypeAlias = Mapping[str, Mapping[Key, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Counts by source and key, for rows split by `by`. What a source does not have is zero."""

    by: tuple[str, ...]
    counted: Counted

    def count(self, source: str, key: Key, name: str) -> int:
        """Return one count. Sources of the whole company have it by time alone."""
        if source in ("customers", "costs"):
            key = time_part(self.by, key)
        return int(self.counted[source].get(key, {}).get(name, 0))


Made: TypeAlias = Callable[[Gathered, Sequence[Key]], list[tuple[Cell, ...]]]


@dataclass(frozen=True, slots=True)
class Measure:
    """Columns, the sources they come from, and a tuple of their cells per key."""

    columns: tuple[SheetColumn, ...]
    needs: tuple[Source, ...]
    made: Made


def _count(name: str, title: str, word: str, source: Source, counted: str) -> Measure:
    def made(all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
        return [(all_of.count(source, key, counted),) for key in keys]

    return Measure((SheetColumn(name, title, "count", word),), (source,), made)


def with_interval(name: str, title: str, unit: Unit, word: str) -> tuple[SheetColumn, ...]:
    """Return the three columns of a figure with its interval."""
    return (
        SheetColumn(name, title, unit, word),
        SheetColumn(name + LOW, "from", unit, "DEF-CI"),
        SheetColumn(name + HIGH, "to", unit, "DEF-CI"),
    )


def cells(figure: Figure) -> tuple[Cell, ...]:
    """Return the three cells of a figure."""
    return figure.value, figure.low, figure.high


def shares(by: Sequence[str], counts: Sequence[tuple[int, int]]) -> list[tuple[Cell, ...]]:
    """Return the cells of shares (part, whole); by agent as G-AGENT demands."""
    if "agent" in by:
        return [cells(figure) for figure in measures.agents_shares(counts)]
    return [cells(measures.share(part, whole)) for part, whole in counts]


def _share(
    name: str, title: str, word: str, part: tuple[Source, str], *whole: tuple[Source, str]
) -> Measure:
    """Return the measure part / (sum of whole), with its interval."""

    def made(all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
        return shares(
            all_of.by,
            [
                (
                    all_of.count(part[0], key, part[1]),
                    sum(all_of.count(s, key, n) for s, n in whole),
                )
                for key in keys
            ],
        )

    sources = tuple(dict.fromkeys((part[0], *(source for source, _ in whole))))
    return Measure(with_interval(name, title, "ppm", word), sources, made)


def _per(
    name: str,
    title: str,
    word: str,
    unit: Unit,
    part: tuple[Source, str],
    whole: tuple[Source, str],
    *,
    sign: int = 1,
    basis: str = "",
) -> Measure:
    """Return the measure sign x part / whole, to the nearest unit."""

    def made(all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
        return [
            (_divided(sign * all_of.count(*_at(part, key)), all_of.count(*_at(whole, key))),)
            for key in keys
        ]

    sources = tuple(dict.fromkeys((part[0], whole[0])))
    return Measure((SheetColumn(name, title, unit, word, basis),), sources, made)


def _at(place: tuple[Source, str], key: Key) -> tuple[str, Key, str]:
    return place[0], key, place[1]


def _divided(amount: int, count: int) -> int | None:
    return None if count == 0 else divide_half_even(amount, count)


def _centre_per(name: str, title: str, word: str, part: str, whole: tuple[Source, str]) -> Measure:
    """Return a cost of the whole centre per something; None for rows by more than time."""

    def made(all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
        return [
            (
                _divided(all_of.count("costs", key, part), all_of.count(*_at(whole, key)))
                if "costs" in all_of.counted and time_part(all_of.by, key) == key
                else None,
            )
            for key in keys
        ]

    return Measure((SheetColumn(name, title, "amount_minor", word),), ("costs", whole[0]), made)


def _aht(all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
    found: list[tuple[Cell, ...]] = []
    for key in keys:
        row = all_of.counted["volumes"].get(key, {})
        total = sum(int(row.get(name, 0)) for name in ("talk", "hold", "wrap"))
        sample = Sample(int(row.get("handled_n", 0)), float(total), float(row.get("squares", 0)))
        found.append(cells(measures.mean(sample)))
    return found


def _nps(all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
    def figure(key: Key) -> Figure:
        promoters, detractors, said = (
            all_of.count("answers", key, name) for name in ("promoters_n", "detractors_n", "nps_n")
        )
        if "agent" in all_of.by and said < measures.CASES_MIN:
            return measures.UNKNOWN
        return measures.net_promoters(promoters, detractors, said)

    return [cells(figure(key)) for key in keys]


def _ces(all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
    found: list[tuple[Cell, ...]] = []
    for key in keys:
        n, total, squares = (
            all_of.count("answers", key, name) for name in ("ces_n", "ces_sum", "ces_squares")
        )
        interval = Sample(n, total, squares).interval() if n >= measures.CASES_MIN else None
        hidden = n == 0 or ("agent" in all_of.by and n < measures.CASES_MIN)
        mean = None if hidden else round(total / n, 3)
        ends = (None, None) if interval is None else tuple(round(end, 3) for end in interval)
        found.append((mean, *ends))
    return found


def _occupancy(all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
    def time(key: Key, name: str) -> int:
        return all_of.count("occupancy", key, name)

    return [
        (measures.occupancy(time(key, "busy"), time(key, "paid") - time(key, "busy")),)
        for key in keys
    ]


def _of_people(name: str, title: str, unit: Unit) -> Measure:
    """Return what is known of the agents of a time; None for rows by more than time."""

    def made(all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
        found = all_of.counted.get("people", {})
        return [
            (found.get(key, {}).get(name) if time_part(all_of.by, key) == key else None,)
            for key in keys
        ]

    column = f"{name}_ppm" if unit == "ppm" else name
    return Measure((SheetColumn(column, title, unit, "KPI-ATTR"),), ("people",), made)


def _left_cost(all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
    rows = [all_of.counted.get("people", {}).get(key, {}) for key in keys]
    return [(_divided(int(row.get("left_cost", 0)), int(row.get("gone", 0))),) for row in rows]


def _contact_rate(all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
    found: list[tuple[Cell, ...]] = []
    for key in keys:
        customers = all_of.count("customers", key, "customers_n")
        known = all_of.count("volumes", key, "known_n")
        found.append((round(known / customers, 4) if customers else None,))
    return found


MEASURES: Final[Mapping[str, Measure]] = {
    "contacts": _count("contacts", "Contacts", "KPI-OFFERED", "volumes", "contacts_n"),
    "handled": _count("handled", "Handled", "KPI-HANDLED", "volumes", "handled_n"),
    "abandoned": _count("abandoned", "Abandoned", "KPI-ABANDON", "volumes", "abandoned_n"),
    "short": _count("short_abandoned", "of them short", "KPI-ABANDON", "volumes", "short_n"),
    "abandon": _share(
        *("abandon_rate_ppm", "Abandon rate", "KPI-ABANDON"),
        *(("volumes", "left_n"), ("volumes", "left_n"), ("volumes", "queued_n")),
    ),
    "aht": Measure(with_interval("aht_ms", "Handle time", "ms", "KPI-AHT"), ("volumes",), _aht),
    "talk": _per("talk_ms", "Talk", "KPI-AHT", "ms", ("volumes", "talk"), ("volumes", "handled_n")),
    "hold": _per("hold_ms", "Hold", "KPI-AHT", "ms", ("volumes", "hold"), ("volumes", "handled_n")),
    "wrap": _per(
        "wrap_ms", "Wrap-up", "KPI-AHT", "ms", ("volumes", "wrap"), ("volumes", "handled_n")
    ),
    "wait": _per("wait_ms", "Wait", "KPI-WAIT", "ms", ("volumes", "wait"), ("volumes", "queued_n")),
    "wait_left": _per(
        *("wait_abandoned_ms", "Wait of abandoned", "KPI-WAIT", "ms"),
        *(("volumes", "wait_left"), ("volumes", "abandoned_n")),
    ),
    "transfers": _share(
        *("transfer_rate_ppm", "Transferred", "KPI-TRANSFER"),
        *(("volumes", "transferred_n"), ("volumes", "handled_n")),
    ),
    "occupancy": Measure(
        (SheetColumn("occupancy_ppm", "Occupancy", "ppm", "KPI-OCC"),),
        ("occupancy",),
        _occupancy,
    ),
    "unidentified": _share(
        *("unidentified_ppm", "Unidentified", "DEF-UNIDENT"),
        *(("volumes", "unidentified_n"), ("volumes", "contacts_n")),
    ),
    "contact_rate": Measure(
        (SheetColumn("contact_rate", "Contacts per customer", "number", "KPI-CONTACT-RATE"),),
        ("customers", "volumes"),
        _contact_rate,
    ),
    "cases": _count("cases", "Cases", "KPI-CASES", "cases", "cases_n"),
    "young": _count("cases_final", "old enough", "KPI-YOUNG", "cases", "final_n"),
    "fcr": _share(
        *("fcr_ppm", "FCR / first contacts", "KPI-FCR"),
        *(("cases", "first_n"), ("cases", "final_n")),
    ),
    "fcr_all": _share(
        *("fcr_all_ppm", "FCR / all contacts", "KPI-FCR-ALL"),
        *(("cases", "first_n"), ("cases", "final_contacts_n")),
    ),
    "told": _share(
        *("outcome_known_ppm", "Outcome known", "KPI-KNOWN"),
        *(("cases", "told_n"), ("cases", "final_n")),
    ),
    "fcr_known": _share(
        *("fcr_known_ppm", "FCR / known", "KPI-FCR-KNOWN"),
        *(("cases", "first_n"), ("cases", "told_n")),
    ),
    "resolved": _share(
        *("resolved_ppm", "Resolved / known", "KPI-RESOLVED"),
        *(("cases", "solved_n"), ("cases", "told_n")),
    ),
    "onetouch": _share(
        *("onetouch_ppm", "One touch", "KPI-ONETOUCH"),
        *(("cases", "onetouch_n"), ("cases", "resolved_n")),
    ),
    "reopened": _share(
        *("reopen_rate_ppm", "Reopened", "KPI-REOPEN"),
        *(("cases", "reopened_n"), ("cases", "resolved_n")),
    ),
    "asked": _count("touchpoints", "Touchpoints", "KPI-RESPONSE", "answers", "asked_n"),
    "answered": _share(
        *("response_rate_ppm", "Answered", "KPI-RESPONSE"),
        *(("answers", "answered_n"), ("answers", "asked_n")),
    ),
    "csat": _share(
        *("csat_ppm", "CSAT", "KPI-CSAT"), *(("answers", "good_n"), ("answers", "csat_n"))
    ),
    "nps": Measure(with_interval("nps_ppm", "NPS", "ppm", "KPI-NPS"), ("answers",), _nps),
    "ces": Measure(with_interval("ces", "CES", "number", "KPI-CES"), ("answers",), _ces),
    "per_contact": _per(
        *("cost_per_contact_minor", "Cost per contact", "KPI-CPC", "amount_minor"),
        *(("volumes", "cost_sum"), ("volumes", "handled_n")),
        sign=-1,
        basis="standard",
    ),
    "per_contact_c": _centre_per(
        *("centre_cost_per_contact_minor", "all but overhead", "KPI-CPC-C"),
        *("controllable", ("volumes", "handled_n")),
    ),
    "per_contact_c5": _centre_per(
        *("full_cost_per_contact_minor", "with overhead", "KPI-CPC-C5"),
        *("full", ("volumes", "handled_n")),
    ),
    "per_case": _per(
        *("cost_per_case_minor", "Cost per case", "KPI-CPCASE", "amount_minor"),
        *(("cases", "cases_cost"), ("cases", "cases_n")),
        sign=-1,
        basis="standard",
    ),
    "per_resolution": _per(
        *("cost_per_resolution_minor", "Cost per resolution", "KPI-CPR", "amount_minor"),
        *(("cases", "cases_cost"), ("cases", "resolved_n")),
        sign=-1,
        basis="standard",
    ),
    "per_resolution_c": _centre_per(
        *("centre_cost_per_resolution_minor", "all but overhead", "KPI-CPR-C"),
        *("controllable", ("cases", "resolved_n")),
    ),
    "per_resolution_c5": _centre_per(
        *("full_cost_per_resolution_minor", "with overhead", "KPI-CPR-C"),
        *("full", ("cases", "resolved_n")),
    ),
    "sold": _count("sold_in", "With a sale", "KPI-CONV", "sales", "sold_chains_n"),
    "conversion": _share(
        *("conversion_ppm", "Conversion", "KPI-CONV"),
        *(("sales", "sold_chains_n"), ("volumes", "handled_n")),
    ),
    "mean_sale": _per(
        *("mean_sale_minor", "Mean sale", "KPI-SALE", "amount_minor"),
        *(("sales", "sold_sum"), ("sales", "orders_n")),
        basis="booked",
    ),
    "agents": _of_people("agents", "Agents seen", "count"),
    "headcount": _of_people("headcount", "Agents a month", "number"),
    "gone": _of_people("gone", "Seen no more", "count"),
    "attrition": _of_people("yearly", "Attrition a year", "ppm"),
    "left_cost": Measure(
        (SheetColumn("cost_per_leaver_minor", "Cost of each", "amount_minor", "KPI-ATTR-COST"),),
        ("people",),
        _left_cost,
    ),
}

VIEWS: Final[Mapping[str, tuple[str, ...]]] = {
    "overview": (
        *("handled", "abandon", "aht", "occupancy", "fcr", "csat", "per_contact", "conversion"),
    ),
    "handling": (
        *("contacts", "handled", "abandoned", "short", "abandon", "wait", "wait_left", "aht"),
        *("talk", "hold", "wrap", "transfers", "occupancy", "unidentified", "contact_rate"),
    ),
    "resolution": (
        *("handled", "cases", "young", "told", "fcr", "fcr_known", "fcr_all", "resolved"),
        *("onetouch", "reopened"),
    ),
    "opinion": ("asked", "answered", "csat", "nps", "ces"),
    "cost": (
        *("handled", "per_contact", "per_contact_c", "per_contact_c5", "cases", "per_case"),
        *("per_resolution", "per_resolution_c", "per_resolution_c5"),
    ),
    "sales": ("handled", "sold", "conversion", "mean_sale", "contact_rate"),
    "people": ("handled", "agents", "headcount", "gone", "attrition", "left_cost"),
    "all": tuple(MEASURES),
}
"""What `--set view=` shows."""


def cells_of(names: Sequence[str], all_of: Gathered, keys: Sequence[Key]) -> list[tuple[Cell, ...]]:
    """Return a row of cells per key, of the measures named."""
    parts = [MEASURES[name].made(all_of, keys) for name in names]
    return [tuple(cell for part in row for cell in part) for row in zip(*parts, strict=True)]

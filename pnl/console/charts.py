"""The chart of revenue and cost per handled contact, as options for ECharts.

Colours are the page's variables, which the SVG renderer passes on, so a switch of theme needs
no new options. Emphasis is off everywhere: ECharts makes a lighter colour for it, cannot do so
of a variable, and the line under the pointer was gone. The series keep their number and order:
another number would replace the chart.
"""

import json
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

from pnl.console.view import Asked
from pnl.reports.model import DayPoint

TEXT: Final = {"color": "var(--ink3)", "fontSize": 12, "fontFamily": "Roboto, sans-serif"}
TAIL: Final = 0.25
"""How much of the axis the band may leave below 0 before the axis follows it there."""
LABEL_APART: Final = 0.09
"""Labels nearer than this share of the axis would lie on each other."""


def rpc_chart(asked: Asked, points: tuple[DayPoint, ...]) -> dict[str, Any]:
    """Return the options: band, revenue (solid while mature, dashed after), cost."""
    days = _every_day(points)
    by_day = {point.day: point for point in points}
    rows = [by_day.get(day) for day in days]
    first_young = next((i for i, row in enumerate(rows) if row and not row.mature), len(days))
    revenue = [_major(asked, row.revenue_per_contact_minor if row else None) for row in rows]
    cost = [_major(asked, row.cost_per_contact_minor if row else None) for row in rows]
    widths = [_major(asked, row.ci_minor if row else None) for row in rows]
    labels = [asked.figures.day(day, year=False) for day in days]
    tips = [_tip(asked, day, row) for day, row in zip(days, rows, strict=True)]
    return {
        "animation": False,
        "grid": {"left": 52, "right": 104, "top": 22, "bottom": 26},
        "xAxis": {
            "type": "category",
            "data": labels,
            "boundaryGap": False,
            "axisLine": {"lineStyle": {"color": "var(--line2)"}},
            "axisTick": {"show": False},
            "axisLabel": {**TEXT, "hideOverlap": True, "alignMinLabel": "left"},
        },
        "yAxis": {
            "type": "value",
            **_floor(revenue, widths),
            "splitNumber": 4,
            "splitLine": {"lineStyle": {"color": "var(--line)"}},
            "axisLabel": {**TEXT, ":formatter": _axis_format(asked)},
        },
        "tooltip": _tooltip(),
        "series": [
            *_band(revenue, widths),
            _line("Revenue", _until(revenue, first_young), "var(--add)", tips=tips),
            _line("Revenue", _since(revenue, first_young), "var(--add)", dashed=True)
            | _immature(labels, first_young),
            _line("Cost", cost, "var(--take-mark)", width=1.5),
            _labels(asked, rows),
        ],
        "media": [
            {"query": {"maxWidth": 560}, "option": {"grid": {"left": 38, "right": 98}}},
            {"query": {"minWidth": 561}, "option": {"grid": {"left": 52, "right": 104}}},
        ],
    }


def _floor(revenue: list[float | None], widths: list[float | None]) -> dict[str, Any]:
    """Return where the axis begins: at 0, unless more than a tail of the band lies below."""
    known = [(v, w or 0) for v, w in zip(revenue, widths, strict=True) if v is not None]
    highest = max((v + w for v, w in known), default=0.0)
    lowest = min((v - w for v, w in known), default=0.0)
    below = min((v for v, _ in known), default=0.0) < 0
    return {} if below or lowest < -TAIL * highest else {"min": 0}


def _every_day(points: tuple[DayPoint, ...]) -> list[date]:
    if not points:
        return []
    first, last = points[0].day, points[-1].day
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def _major(asked: Asked, minor: int | None) -> float | None:
    """Return major units for drawing only; labels and tooltips are made from the integers."""
    return None if minor is None else asked.figures.major(minor, asked.currency)


def _axis_format(asked: Asked) -> str:
    """Return a script that writes round numbers of the axis: £0, £2, £12k."""
    symbol = json.dumps(asked.figures.symbol(asked.currency))
    language = json.dumps(asked.figures.language)
    return (
        "v => { const n = Math.abs(v), k = n >= 10000;"
        f" return (v < 0 ? '\\u2212' : '') + {symbol}"
        f" + (k ? n / 1000 : n).toLocaleString({language}) + (k ? 'k' : '') }}"
    )


def _tooltip() -> dict[str, Any]:
    return {
        "trigger": "axis",
        "confine": True,
        "backgroundColor": "var(--surface)",
        "borderColor": "var(--line2)",
        "textStyle": {**TEXT, "color": "var(--ink)"},
        "axisPointer": {"lineStyle": {"color": "var(--line2)"}},
        ":formatter": "all => (all.find(p => p.data && p.data.tip) ?? {data: {tip: ''}}).data.tip",
    }


def _tip(asked: Asked, day: date, row: DayPoint | None) -> str:
    """Return a day's figures as markup; nothing in it comes from outside but numbers."""
    figures, shown = asked.figures, [f"<b>{asked.figures.day(day)}</b>"]
    if row is None or row.revenue_per_contact_minor is None:
        return "<br>".join([*shown, "no contact was handled"])
    revenue = figures.money(row.revenue_per_contact_minor, asked.currency)
    if row.ci_minor is None:
        shown.append(f"Revenue {revenue}, interval hidden: fewer than 30 contacts")
    else:
        shown.append(f"Revenue {revenue} ±{figures.money(row.ci_minor, asked.currency)}")
    if row.cost_per_contact_minor is not None:
        shown.append(f"Cost {figures.money(row.cost_per_contact_minor, asked.currency)}")
    share = row.matured * 1_000_000 // row.handled if row.handled else 0
    shown.append(f"{figures.count(row.handled)} handled, {figures.percent_whole(share)} matured")
    if not row.mature:
        shown.append("not mature yet: a lower bound")
    return "<br>".join(shown)


def _until(values: list[float | None], end: int) -> list[float | None]:
    return [value if i <= end else None for i, value in enumerate(values)]


def _since(values: list[float | None], start: int) -> list[float | None]:
    return [value if i >= start else None for i, value in enumerate(values)]


def _line(
    name: str,
    values: Iterable[float | None],
    colour: str,
    *,
    width: float = 2,
    dashed: bool = False,
    tips: list[str] | None = None,
) -> dict[str, Any]:
    data: list[Any] = [{"value": "-" if v is None else v} for v in values]
    if tips is not None:
        for item, tip in zip(data, tips, strict=True):
            item["tip"] = tip
    style = {"color": colour, "width": width, "type": "dashed" if dashed else "solid"}
    return {
        "name": name,
        "type": "line",
        "data": data,
        "symbol": "none",
        "lineStyle": style,
        "itemStyle": {"color": colour},
        "emphasis": {"disabled": True},
        "silent": True,
    }


def _band(values: list[float | None], widths: list[float | None]) -> list[dict[str, Any]]:
    """Return the interval as two stacked series: its lower end, unseen, and its whole width."""
    low: list[Any] = []
    high: list[Any] = []
    for value, width in zip(values, widths, strict=True):
        known = value is not None and width is not None
        low.append(value - width if value is not None and width is not None else "-")
        high.append(2 * width if known and width is not None else "-")
    plain = {
        "type": "line",
        "stack": "interval",
        "stackStrategy": "all",
        "symbol": "none",
        "silent": True,
        "lineStyle": {"opacity": 0},
        "emphasis": {"disabled": True},
    }
    return [
        {**plain, "name": "Lower end", "data": low},
        {**plain, "name": "Interval", "data": high, "areaStyle": {"color": "var(--band)"}},
    ]


def _immature(labels: list[str], start: int) -> dict[str, Any]:
    """Return the ground under what is not final, with its words."""
    if start >= len(labels):
        return {"markArea": {"data": []}}
    return {
        "markArea": {
            "silent": True,
            "itemStyle": {"color": "var(--immature)"},
            "label": {**TEXT, "position": "insideTopLeft", "offset": [4, 3]},
            "data": [[{"name": "Not mature yet: lower bound", "xAxis": start}, {"xAxis": "max"}]],
        }
    }


def _labels(asked: Asked, rows: list[DayPoint | None]) -> dict[str, Any]:
    """Return the labels at the line ends, as points without a mark, kept apart from each other."""
    ends: list[tuple[int, str, int, str]] = []
    for i, row in enumerate(rows):
        if row and row.revenue_per_contact_minor is not None:
            ends = [(row.revenue_per_contact_minor, "Revenue", i, "var(--add)")]
            if row.cost_per_contact_minor is not None:
                ends.append((row.cost_per_contact_minor, "Cost", i, "var(--take)"))
    ends.sort()
    highest = max(
        ((r.revenue_per_contact_minor or 0) + (r.ci_minor or 0) for r in rows if r), default=0
    )
    near = len(ends) > 1 and (ends[1][0] - ends[0][0]) < LABEL_APART * highest
    # A label at the foot must not lie on the dates below it.
    at_foot = bool(ends) and ends[0][0] < LABEL_APART * highest
    offsets = (0, 0) if not near else (-3, -20) if at_foot else (9, -9)
    data = [
        {
            "value": [i, _major(asked, minor)],
            "label": {
                "formatter": f"{name} {asked.figures.money(minor, asked.currency)}",
                "color": colour,
                "offset": [0, offsets[place]],
            },
        }
        for place, (minor, name, i, colour) in enumerate(ends)
    ]
    label = {"show": True, "position": "right", "fontWeight": 600}
    return {
        "name": "Labels",
        "type": "scatter",
        "symbolSize": 0.01,
        "emphasis": {"disabled": True},
        "silent": True,
        "data": data,
        "label": TEXT | label,
        "tooltip": {"show": False},
    }

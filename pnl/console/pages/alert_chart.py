"""The chart of an alert: how it went, window by window, the usual range, the moment it was raised.

Drawn here as SVG: it stands still, so it needs no library; colours are the page's own.
"""

from typing import Final

from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.view import Asked
from pnl.reports.alert_trend import AlertTrend
from pnl.reports.alert_words import value_words
from processors.signal_records import AlertRecord
from streams.facts import Millis

WIDTH: Final = 640
HEIGHT: Final = 150
TOP: Final = 24
FOOT: Final = 18
LINES: Final = 2
"""Horizontal lines above the axis."""


def chart(asked: Asked, alert: AlertRecord, trend: AlertTrend | None) -> Html:
    """Return the chart with its heading; nothing where there is no history."""
    if trend is None or len(trend.points) < LINES:
        return NOTHING
    drawn = _Drawn(asked, alert, trend)
    svg = el(
        "svg",
        drawn.axis(),
        drawn.usual(),
        drawn.line(),
        drawn.raised(),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=drawn.spoken(),
        cls="p-alert-chart",
    )
    each = "hour" if trend.length_ms < 86_400_000 else "day"
    said = f"{trend.title} by {each}"
    if trend.usual is not None:
        said += f"; usual: {drawn.words(trend.usual[0])} to {drawn.words(trend.usual[1])}"
    return join([el("h3", f"{said[:1].upper()}{said[1:]}"), el("div", svg, cls="p-alert-svg")])


class _Drawn:
    """Places values and moments of one trend."""

    def __init__(self, asked: Asked, alert: AlertRecord, trend: AlertTrend) -> None:
        self._asked, self._alert, self._trend = asked, alert, trend
        self._currency = alert.currency or asked.currency
        values = [value for _, value in trend.points if value is not None]
        self._top = max([*values, *(trend.usual or ()), 1])
        self._low = min([*values, 0])
        self._first, self._last = trend.points[0][0], trend.points[-1][0]

    def words(self, value: int) -> str:
        """Return a value in its unit."""
        locale = str(self._asked.figures.locale)
        return value_words(value, self._trend.unit, self._currency, locale)

    def _x(self, at: Millis) -> float:
        spread = (self._last - self._first) or 1
        return 2 + (at - self._first) / spread * (WIDTH - 4)

    def _y(self, value: int) -> float:
        spread = (self._top - self._low) or 1
        return HEIGHT - FOOT - (value - self._low) / spread * (HEIGHT - FOOT - TOP)

    def axis(self) -> Html:
        """Return the lines of 0, the half and the whole, named, and the first and last moment."""
        marks = [self._low + (self._top - self._low) * step // LINES for step in range(LINES + 1)]
        lines = [
            join(
                [
                    el("path", d=f"M0 {self._y(m):.1f}H{WIDTH}", cls="p-axis-line"),
                    el("text", self.words(m), x=2, y=f"{self._y(m) - 3:.1f}"),
                ]
            )
            for m in marks
        ]
        figures = self._asked.figures
        ends = [
            el("text", figures.moment(self._first), x=2, y=HEIGHT - 4),
            el("text", figures.moment(self._last), x=WIDTH - 2, y=HEIGHT - 4, text_anchor="end"),
        ]
        return join([*lines, *ends])

    def usual(self) -> Html:
        """Return the usual range as a band."""
        if self._trend.usual is None:
            return NOTHING
        low, high = (self._y(value) for value in self._trend.usual)
        return el("path", d=f"M0 {high:.1f}H{WIDTH}V{low:.1f}H0Z", cls="p-usual-band")

    def line(self) -> Html:
        """Return the values; where one is not known the line is broken, and one alone is a dot."""
        parts, pen = [], "M"
        for at, value in self._trend.points:
            if value is None:
                pen = "M"
                continue
            parts.append(f"{pen}{self._x(at):.1f} {self._y(value):.1f}{'h0' if pen == 'M' else ''}")
            pen = "L"
        return el("path", d="".join(parts), cls="p-trend-line")

    def raised(self) -> Html:
        """Return the moment the alert was raised."""
        x = min(max(self._x(self._alert.raised_at), 2), WIDTH - 2)
        right = x > WIDTH / 2
        return join(
            [
                el("path", d=f"M{x:.1f} {TOP - 2}V{HEIGHT - FOOT}", cls="p-raised-line"),
                el(
                    "text",
                    "raised",
                    x=f"{x - 4 if right else x + 4:.1f}",
                    y=TOP - 4,
                    text_anchor="end" if right else "start",
                    cls="p-raised-word",
                ),
            ]
        )

    def spoken(self) -> str:
        """Return the chart as a sentence."""
        figures, trend = self._asked.figures, self._trend
        before = [v for at, v in trend.points if v is not None and at < self._alert.raised_at]
        said = f"{trend.title[:1].upper()}{trend.title[1:]}"
        said += f" from {figures.moment(self._first)} to {figures.moment(self._last)}."
        if before:
            said += f" When it was raised: {self.words(before[-1])}."
        if trend.usual is not None:
            low, high = trend.usual
            said += f" Usual before: {self.words(low)} to {self.words(high)}."
        return said

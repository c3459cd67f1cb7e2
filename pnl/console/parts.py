"""Parts that every page is made of: cards, figures that open, badges, bars, small histories."""

from collections.abc import Iterable, Sequence
from typing import Final

from pnl.console.address import Address
from pnl.console.icons import icon
from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.view import Asked
from pnl.reports.as_reported import is_period
from pnl.reports.model import Estimate, Statement

BASES: Final = frozenset({"booked", "standard", "allocated", "accrued", "estimated"})
SPARK_WIDTH: Final = 48
SPARK_HEIGHT: Final = 20


def card(
    name: str,
    title: object,
    *body: object,
    said: object = None,
    more: Html = NOTHING,
    width: str = "",
) -> Html:
    """Return a card with its heading; `said` stands beside it, `more` at the right."""
    head = el(
        "header",
        el("h2", title, id=f"{name}-h"),
        el("p", said) if said is not None else NOTHING,
        el("span", more, cls="p-open") if more else NOTHING,
    )
    cls = f"p-card {width}".strip()
    return el("section", head, *body, id=name, cls=cls, aria_labelledby=f"{name}-h")


def empty(sentence: str, action: Html = NOTHING) -> Html:
    """Return what stands where there is nothing: one sentence why, one action."""
    return el("p", sentence, " ", action, cls="p-empty")


def badge(basis: str) -> Html:
    """Return how an amount is known, as a badge."""
    kind = basis if basis in BASES else "control"
    return el("span", basis, cls=f"p-badge p-{kind}")


def table(
    caption: str, heads: Sequence[Html], rows: Iterable[Html], cls: str | None = None
) -> Html:
    """Return a table. `heads` are th elements, `rows` tr elements."""
    made = el(
        "table",
        el("caption", caption),
        el("thead", el("tr", *heads)),
        el("tbody", *rows),
        cls=cls,
    )
    # What may scroll must be reachable by keys.
    return el("div", made, cls="p-scroll", tabindex="0", role="group", aria_label=caption)


def head(label: object, cls: str | None = None, colspan: int | None = None) -> Html:
    """Return a column's head."""
    return el("th", label, scope="col", cls=cls, colspan=colspan)


def num(label: object, cls: str = "") -> Html:
    """Return a cell with a number."""
    return el("td", label, cls=f"p-num {cls}".strip())


def entries_link(address: Address, line: str, **changes: str | None) -> str:
    """Return where the entries behind a figure are listed."""
    return address.link("/entries", line=line, **changes)


def opens(shown: object, href: str, title: str) -> Html:
    """Return a figure that opens what it is made of."""
    return el("a", shown, href=href, title=title)


def basis_note(asked: Asked, name: str, minor: int, basis: str, period: str) -> str:
    """Return a figure's exact value, unit, period, zone and basis, for its tooltip."""
    exact = f"{minor} minor units {asked.currency}".replace("-", "\N{MINUS SIGN}", 1)
    return f"{name}: {exact}, {period}, {asked.timezone}, {basis}"


def provisional(asked: Asked) -> Html:
    """Return the badge of a period the books are still in, with its days; else nothing."""
    if asked.question.days is None:
        return NOTHING
    done, whole = asked.question.days
    shown = el("span", "provisional", cls="p-badge p-provisional")
    return el("span", shown, f" {done} of {whole} days", cls="p-now")


def standing(asked: Asked, now: Statement) -> Html:
    """Return whether the books of the range are closed: what a closed one was is reported."""
    if now.closed_at is not None:
        badge = el("span", "closed", cls="p-badge")
        since = el("a", "what changed since", href=asked.address.link("/reports/restatement"))
        moment = asked.figures.moment(now.closed_at)
        return el("span", badge, f" {moment} \N{MIDDLE DOT} ", since, cls="p-now")
    if asked.question.days is None and is_period(now.scope):
        badge = el("span", "provisional", cls="p-badge p-provisional")
        return el("span", badge, " not closed", cls="p-now")
    return provisional(asked)


def tone(change: int) -> str:
    """Return the class of a change of the result: what adds is blue, what takes is orange."""
    return "p-plus" if change > 0 else "p-less" if change < 0 else "p-muted"


def delta(change: int, largest: int) -> Html:
    """Return a change drawn from an axis in the middle, on a scale that its table shares."""
    parts = [el("i", cls="p-axis")]
    if change and largest:
        width = 48 * abs(change) / largest
        left = 50 if change > 0 else 50 - width
        cls = "p-up" if change > 0 else "p-down"
        parts.append(el("i", cls=cls, style=f"left:{left:.1f}%;width:{width:.1f}%"))
    return el("span", *parts, cls="p-delta", aria_hidden="true")


def level(value: int, largest: int) -> Html:
    """Return a bar from the left, as long as its value on the scale of its table."""
    width = 100 * abs(value) / largest if largest else 0
    bar = el("i", cls="p-down" if value < 0 else None, style=f"width:{width:.1f}%")
    return el("span", bar if value else NOTHING, cls="p-level", aria_hidden="true")


def meter(ppm: int) -> Html:
    """Return how much of something is complete, drawn; the number stands beside it."""
    return el(
        "span", el("i", style=f"width:{ppm / 10_000:.0f}%"), cls="p-meter", aria_hidden="true"
    )


def sparkline(series: Sequence[int | None], *, final: bool) -> Html:
    """Return a small history; its last point is hollow while it is not final."""
    points = [(i, value) for i, value in enumerate(series) if value is not None]
    if len(points) < 2:
        return NOTHING
    low, high = min(v for _, v in points), max(v for _, v in points)
    spread, last = (high - low) or 1, len(series) - 1

    def place(point: tuple[int, int]) -> tuple[float, float]:
        x = point[0] / last * (SPARK_WIDTH - 6) + 3
        return x, SPARK_HEIGHT - 3 - (point[1] - low) / spread * (SPARK_HEIGHT - 6)

    placed = [place(point) for point in points]
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
    x, y = placed[-1]
    hollow = None if final else "p-hollow"
    return el(
        "svg",
        el("path", d=line),
        el("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="2.4", cls=hollow),
        cls="p-spark",
        viewBox=f"0 0 {SPARK_WIDTH} {SPARK_HEIGHT}",
        aria_hidden="true",
    )


def facts(pairs: Iterable[tuple[object, object]]) -> Html:
    """Return a list of names with their values."""
    rows = [
        el("div", el("dt", name), value if _is_dd(value) else el("dd", value))
        for name, value in pairs
    ]
    return el("dl", *rows, cls="p-facts")


def _is_dd(value: object) -> bool:
    return isinstance(value, Html) and value.startswith("<dd")


def interval(asked: Asked, estimate: Estimate) -> Html:
    """Return an estimate with its interval; null where it cannot be told."""
    if estimate.value is None:
        return el("em", "null")
    shown, low, high = (
        asked.figures.money(minor, asked.currency)
        for minor in (
            estimate.value.amount_minor,
            estimate.value.low_minor,
            estimate.value.high_minor,
        )
    )
    return join([shown, el("span", f" {low} to {high}", cls="p-muted")])


def said_law(holds: bool, sentence: str) -> Html:
    """Return whether a law holds, in words and with a sign."""
    mark = el("span", icon("check" if holds else "warn"), cls="p-ok" if holds else "p-crit")
    return el("p", mark, el("span", sentence), cls="p-law")


def link_list(parts: Iterable[object]) -> Html:
    """Return parts in one line, with dots between them."""
    return join(parts, " \N{MIDDLE DOT} ")

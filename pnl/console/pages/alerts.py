"""Alerts: what happened, on which evidence, who has it. A list, and beside it one of them.

On a phone the list is one page and each alert another; at a desk both stand side by side, the
first of the list opened.
"""

from typing import Final

from pnl.console.markup import NOTHING, Html, el
from pnl.console.menus import segments
from pnl.console.pages.alert import alert_card, severity
from pnl.console.parts import card, empty
from pnl.console.shell import frame
from pnl.console.view import Asked, View
from pnl.reports.alerts import AlertQuery, Alerts
from processors.signal_records import AlertRecord

ROWS: Final = 100
SHOWN: Final = {
    "open": "Open",
    "acknowledged": "Acknowledged",
    "snoozed": "Snoozed",
    "cleared": "Cleared",
    "all": "All",
}
SEVERITY_NAMES: Final = {
    "": "Any severity",
    "critical": "Critical",
    "warning": "Warning",
    "info": "Info",
}


def page(asked: Asked) -> View:
    """Return the list, and the first alert of it."""
    found = _asked_for(asked)
    first = found.rows[0].alert_id if found.rows else ""
    explained = asked.reports.alert(first) if first else None
    blocks = {"p-alerts": _list(asked, found, first, phone=True)}
    if explained is not None:
        blocks["p-alert"] = alert_card(asked, explained, phone=False)
    blocks |= _apart(asked, found)
    return View(
        title="Alerts",
        blocks=blocks,
        frame=frame(asked, period=False, narrow=False),
    )


def one(asked: Asked) -> View:
    """Return one alert, with the list beside it; or that there is none."""
    explained = asked.reports.alert(asked.address.item)
    if explained is None:
        back = el("a", "Show all alerts", href=asked.address.link("/alerts", state="all"))
        sentence = f"There is no alert {asked.address.item[:60]}: not yet stored, or another id."
        body = card("p-missing", "No such alert", empty(sentence, back))
        outside = frame(asked, period=False, narrow=False)
        return View(title="No such alert", blocks={"p-missing": body}, frame=outside, missing=True)
    found = _asked_for(asked)
    return View(
        title=explained.alert.alert_id,
        parent="Alerts",
        blocks={
            "p-alerts": _list(asked, found, explained.alert.alert_id, phone=False),
            "p-alert": alert_card(asked, explained, phone=True),
        },
        frame=frame(asked, period=False, narrow=False),
    )


def _asked_for(asked: Asked) -> Alerts:
    address = asked.address
    return asked.reports.alerts(
        AlertQuery(
            state=address.get("state", "open"),
            severities=tuple(filter(None, [address.get("severity")])),
            rules=tuple(filter(None, [address.get("rule")])),
            rows=ROWS,
        )
    )


def _list(asked: Asked, found: Alerts, chosen: str, *, phone: bool) -> Html:
    address = asked.address
    state, level = address.get("state", "open"), address.get("severity")
    states = [
        (name, address.link("/alerts", **_keys(asked, state=key)), key == state)
        for key, name in SHOWN.items()
    ]
    levels = [
        (name, address.link("/alerts", **_keys(asked, severity=key)), key == level)
        for key, name in SEVERITY_NAMES.items()
    ]
    tools = el(
        "div", segments("State", states), segments("Severity", levels), cls="p-card-tools p-tools"
    )
    if found.rows:
        body = el("ul", *_rows(asked, found.rows, chosen), cls="p-alert-list")
    else:
        body = empty(_nothing(state), NOTHING if state == "all" else _all(asked))
    word = "in all" if state == "all" else state
    said = f"{asked.figures.count(found.total)} {word}"
    more = NOTHING
    if len(found.rows) < found.total:
        more = el("p", f"The newest {len(found.rows)} are shown.", cls="p-foot")
    cls = "p-w5" if phone else "p-w5 p-no-phone"
    return card("p-alerts", "What happened", tools, body, more, said=said, width=cls)


def _nothing(state: str) -> str:
    if state == "open":
        return "Nothing needs anybody: no alert is open."
    return f"There is no alert that is {state}." if state != "all" else "There was no alert yet."


def _all(asked: Asked) -> Html:
    return el("a", "Show all alerts", href=asked.address.link("/alerts", state="all"))


def _keys(asked: Asked, **changes: str) -> dict[str, str | None]:
    """Return the keys of the list with some changed; what is at its default is left out."""
    kept = {key: asked.address.get(key) for key in ("state", "severity", "rule")} | changes
    plain = {"state": "open"}
    return {
        key: value if value and value != plain.get(key) else None for key, value in kept.items()
    }


def _rows(asked: Asked, rows: tuple[AlertRecord, ...], chosen: str) -> list[Html]:
    keys = {key: value for key, value in _keys(asked).items() if value}
    places = [each.alert_id for each in rows]
    here = places.index(chosen) if chosen in places else -1
    shown = []
    for at, each in enumerate(rows):
        key = "j" if at == here + 1 and here >= 0 else "k" if at == here - 1 else None
        shown.append(_row(asked, each, keys, key, chosen=each.alert_id == chosen))
    return shown


def _row(
    asked: Asked, each: AlertRecord, keys: dict[str, str], key: str | None, *, chosen: bool
) -> Html:
    state = (
        "" if each.state == "raised" else f"{each.state} by {each.by}" if each.by else each.state
    )
    parts = [state, each.rule]
    if each.value_minor is not None and each.currency:
        parts.insert(0, f"{asked.figures.money(each.value_minor, each.currency)} at stake")
    link = el(
        "a",
        severity(each.severity),
        el(
            "span",
            el("b", each.headline),
            el("span", " \N{MIDDLE DOT} ".join(filter(None, parts)), cls="p-sub"),
        ),
        el("span", asked.figures.moment(each.raised_at), cls="p-sub p-now"),
        href=asked.address.link(each.link, **keys),
        aria_current="true" if chosen else None,
        data_key=key,
    )
    return el("li", link, id=f"a-{each.alert_id}")


def _apart(asked: Asked, found: Alerts) -> dict[str, Html]:
    """Return the customers who are fading: listed, told to nobody."""
    if not found.fading:
        return {}
    rows = [_row(asked, each, {}, None, chosen=False) for each in found.fading]
    said = "the risk rises with no fact of the last day to explain it; nobody was told"
    body = el("ul", *rows, cls="p-alert-list")
    return {"p-fading": card("p-fading", "Fading", body, said=said, width="p-w5")}


def worst(asked: Asked) -> Html:
    """Return the three worst open alerts, for the live board."""
    counted = asked.open_alerts
    link = el("a", "All alerts", href=asked.address.link("/alerts"))
    if not counted.worst:
        body = empty("Nothing needs anybody: no alert is open.")
        return card("p-worst", "Alerts", body, more=link, width="p-w4")
    rows = [_row(asked, each, {}, None, chosen=False) for each in counted.worst]
    said = f"{asked.figures.count(counted.open)} open"
    if counted.critical:
        said += f", {asked.figures.count(counted.critical)} critical"
    body = el("ul", *rows, cls="p-alert-list p-narrow")
    return card("p-worst", "Alerts", body, said=said, more=link, width="p-w4")

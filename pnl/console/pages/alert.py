"""One alert: its figures, the evidence behind it, what became of it, and how to answer it."""

from datetime import timedelta
from typing import Final

from pnl.console.icons import icon
from pnl.console.markup import NOTHING, Html, el, join
from pnl.console.pages.alert_chart import chart
from pnl.console.parts import facts
from pnl.console.view import Asked
from pnl.reports.alert_now import beside
from pnl.reports.alert_words import (
    KIND_TITLES,
    figure_words,
    reason_words,
    segment_of,
    subject_words,
)
from pnl.reports.alerts import AlertExplained
from processors.signal_records import AlertAction, AlertRecord, DeliveryRecord

SEVERITY_MARKS: Final = {"critical": ("crit", "p-crit"), "warning": ("warn", "p-warn")}
SNOOZES: Final = (("1h", "1 hour"), ("8h", "8 hours"), ("monday", "until Monday, 8:00"))
ANSWER_KEYS: Final = "A, S: answer \N{MIDDLE DOT} J, K: next, previous"


def severity(level: str) -> Html:
    """Return a severity as a sign, its word beside it for who cannot see the sign."""
    name, cls = SEVERITY_MARKS.get(level, ("info", "p-plus"))
    return el("span", icon(name), el("span", level, cls="p-hide"), cls=f"p-sev {cls}")


def alert_card(asked: Asked, found: AlertExplained, *, phone: bool) -> Html:
    """Return the card of an alert; without `phone` a phone shows the list in its place."""
    alert = found.alert
    parts = [
        _head(asked, alert),
        _about(asked, alert),
        chart(asked, alert, asked.reports.alert_trend(alert, asked.currency)),
        _figures(asked, found),
        _reasons(alert),
        _contacts(asked, alert),
        _history(asked, found),
    ]
    cls = "p-card p-w7 p-alert" + ("" if phone else " p-no-phone")
    return el("section", *parts, id="p-alert", cls=cls, aria_labelledby="p-alert-h")


def _head(asked: Asked, alert: AlertRecord) -> Html:
    title = el("h2", alert.headline, id="p-alert-h")
    badge = el("span", alert.severity, cls=f"p-badge p-sev-{alert.severity}")
    state = f"{alert.state} by {alert.by}" if alert.by else alert.state
    shown = el("span", state, cls="p-badge p-control")
    return join([el("header", badge, title, shown, cls="p-alert-head"), _answers(asked, alert)])


def _answers(asked: Asked, alert: AlertRecord) -> Html:
    """Return the buttons that answer the alert; none once it is over, or where nobody can."""
    if alert.state == "cleared" or not asked.can_answer:
        return NOTHING
    path = f"/alerts/{alert.alert_id}/answer"

    def button(text: str, doing: str, **more: object) -> Html:
        return el(
            "button", text, type="button", cls="p-btn", data_answer=path, data_doing=doing, **more
        )

    parts: list[object] = []
    if alert.state != "acknowledged":
        parts.append(button("Acknowledge", "ack", data_key="a"))
    if alert.state == "snoozed":
        parts.append(button("Unsnooze", "unsnooze"))
    choices = [button(f"Snooze {text}", "snooze", data_for=key) for key, text in SNOOZES]
    parts.append(
        el(
            "details",
            el("summary", el("span", "Snooze", cls="p-value"), icon("down"), data_key="s"),
            el("div", *choices, cls="p-panel p-answers-panel"),
            cls="p-menu",
            id="p-snooze",
        )
    )
    name = el(
        "label",
        el("span", "Your name"),
        el("input", type="text", name="by", maxlength="100", autocomplete="name", data_by=True),
        cls="p-by",
    )
    note = el(
        "label",
        el("span", "Note"),
        el("input", type="text", name="note", maxlength="500", data_note=True),
        cls="p-by",
    )
    said = el("p", id="p-answered", role="status", data_keep=True)
    hint = el("p", ANSWER_KEYS, cls="p-hint p-no-phone")
    return el("div", name, note, *parts, said, hint, id="p-answers", cls="p-answers")


def _about(asked: Asked, alert: AlertRecord) -> Html:
    figures = asked.figures
    subject = subject_words(alert.subject_kind, alert.subject)
    said = [
        f"{KIND_TITLES.get(alert.kind, alert.kind)}: {subject}.",
        f"Raised {figures.moment(alert.raised_at)} ({asked.timezone}) by rule {alert.rule}.",
    ]
    if alert.note:
        said.append(f"{alert.by or 'Note'}: {alert.note}.")
    if alert.quiet_until is not None and alert.state != "cleared":
        said.append(f"Not sent before {figures.moment(alert.quiet_until)}.")
    if alert.state != "cleared" and (clears := asked.clears.get(alert.rule)):
        said.append(clears)
    return el("p", " ".join(said), cls="p-alert-about")


def _figures(asked: Asked, found: AlertExplained) -> Html:
    """Return the figures it was raised with, and beside them those of today."""
    alert, now, locale = found.alert, found.now, str(asked.figures.locale)
    pairs: list[tuple[object, object]] = []
    for name, then, today in beside(alert, now):
        said = [] if then is None else [figure_words(then, alert.currency, locale)]
        if today is not None:
            said.append(f"now {figure_words(today, alert.currency, locale)}")
        known = today is not None or (then is not None and then.value is not None)
        pairs.append((name[:1].upper() + name[1:], _value(", ".join(said), known=known)))
    title = "Figures" if now is None else f"Figures, and as of {asked.figures.moment(now.as_of)}"
    return join([el("h3", title), facts(pairs)]) if pairs else NOTHING


def _value(words: str, *, known: bool) -> Html:
    return el("dd", words, cls="p-wrap") if known else el("dd", el("em", words))


def _reasons(alert: AlertRecord) -> Html:
    if not alert.reasons:
        return NOTHING
    listed = el("ul", *(el("li", reason_words(each)) for each in alert.reasons), cls="p-plain-list")
    return join([el("h3", "Why"), listed])


def _contacts(asked: Asked, alert: AlertRecord) -> Html:
    segment = segment_of(alert.subject_kind, alert.subject)
    links = [
        el("a", each, href=asked.address.item_link("/contacts", each)) for each in alert.contacts
    ]
    if alert.subject_kind == "segment" and "queue" in segment:
        day = asked.figures.local(alert.raised_at - 1).date()
        where = asked.address.narrowed(
            "queue",
            segment["queue"],
            "/contacts",
            from_=day.isoformat(),
            to=(day + timedelta(days=1)).isoformat(),
        )
        links.append(el("a", f"all of {asked.figures.day(day)}", href=where))
    if alert.subject_kind == "customer":
        links.append(
            el("a", "the customer", href=asked.address.item_link("/customers", alert.subject))
        )
    evidence = join(links, ", ") if links else el("em", "no single contact")
    source = el("dd", alert.source or "none", cls="p-wrap p-mono")
    return join(
        [
            el("h3", "Evidence"),
            facts([("Contacts", el("dd", evidence, cls="p-wrap")), ("Decided by", source)]),
        ]
    )


def _history(asked: Asked, found: AlertExplained) -> Html:
    """Return what became of it: states, answers and deliveries, the newest first."""
    lines = [
        *((each.logged_at, _revision(each)) for each in found.history),
        *((each.at, _action(asked, each)) for each in found.actions),
        *((each.last_at, _delivery(each)) for each in found.deliveries),
    ]
    lines.sort(key=lambda line: -line[0])
    pairs: list[tuple[object, object]] = [
        (asked.figures.moment(at), el("dd", words, cls="p-wrap")) for at, words in lines
    ]
    routes = ", ".join(found.alert.routes)
    sent = f"Goes to {routes}." if routes else "Sent to nobody: no route is set for this rule."
    return join([el("h3", "What became of it"), el("p", sent, cls="p-alert-about"), facts(pairs)])


def _revision(each: AlertRecord) -> str:
    by = f" by {each.by}" if each.by else ""
    note = f": {each.note}" if each.note and not each.by else ""
    return f"{each.state}{by}{note}"


def _action(asked: Asked, each: AlertAction) -> str:
    until = "" if each.until is None else f" until {asked.figures.moment(each.until)}"
    about = "" if each.alert_id else f" of {each.subject or 'all'}, {each.rule or 'any rule'}"
    note = f": {each.note}" if each.note else ""
    return f"{each.action}{until}{about}, asked by {each.by}{note}"


def _delivery(each: DeliveryRecord) -> str:
    tries = f"{each.attempts} attempt{'' if each.attempts == 1 else 's'}"
    detail = f", {each.detail}" if each.detail else ""
    return f"{each.outcome} to {each.route} ({tries}{detail})"

"""`pnl alerts`: what happened, on which evidence, and who has it."""

import getpass
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias
from zoneinfo import ZoneInfo

import typer

from pnl.cli.options import DATA_DEFAULT, Data, Plain, ShownPlain
from pnl.errors import UserError

if TYPE_CHECKING:
    from pnl.settings_load import Loaded

alerts = typer.Typer(
    name="alerts",
    help="Alerts: what happened, on which evidence, who has it.",
    no_args_is_help=True,
)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN: Final = re.compile(r"([1-9]\d{0,5})([mhdw])")


class State(StrEnum):
    """Which alerts to list."""

    OPEN = "open"
    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    CLEARED = "cleared"
    ALL = "all"


By: TypeAlias = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who answers [the name you logged in by]."),
]
Note: TypeAlias = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; it is kept.")]
Rule: TypeAlias = Annotated[
    str | None, typer.Option("--rule", metavar="NAME", help="All that a rule raises.")
]
Subject: TypeAlias = Annotated[
    str | None,
    typer.Option("--subject", metavar="ID", help="All about a customer, or about queue=NAME."),
]
OneOf: TypeAlias = Annotated[str | None, typer.Argument(metavar="[ID]", help="One alert.")]


@alerts.command("list", epilog="Example:  pnl alerts list --state all --since 7d")
def list_(
    data: Data = DATA_DEFAULT,
    state: Annotated[State, typer.Option(help="Open: not cleared.")] = State.OPEN,
    rule: Annotated[str | None, typer.Option(metavar="NAME", help="Of one rule.")] = None,
    subject: Subject = None,
    since: Annotated[
        str | None, typer.Option(metavar="7d|DATE", help="Raised since: 12h, 7d, 2026-04-01.")
    ] = None,
    shown: ShownPlain = Plain.TABLE,
) -> None:
    """List alerts, newest first.

    What is fading stands apart: its risk rises with no fact to explain it, and nobody was told.
    """
    from pnl.cli.asking import run_question
    from pnl.settings_load import load

    moment = None if since is None else _since(since, load(data))
    args: dict[str, Any] = {
        "state": state.value,
        "rule": rule,
        "subject": subject,
        "since": moment,
        "format": shown.value,
    }
    if rule is not None:
        args["rules"] = _rules(data)
    run_question(data, "alerts_list", args)


@alerts.command(epilog="Example:  pnl alerts why 1f0c9a2b3d4e5f60")
def why(
    identity: Annotated[str, typer.Argument(metavar="ID")],
    data: Data = DATA_DEFAULT,
    shown: ShownPlain = Plain.TABLE,
) -> None:
    """Say what an alert rests on, and what became of it.

    Its figures with their intervals, its reasons, the contacts behind it, the record that decided,
    what would clear it, where it was delivered, and what people answered.
    """
    from pnl.cli.asking import run_question
    from pnl.settings_load import load

    args = {"id": identity, "clears": _clears(data, load(data)), "format": shown.value}
    run_question(data, "alerts_why", args)


@alerts.command(epilog='Example:  pnl alerts ack 1f0c9a2b3d4e5f60 --note "calling them"')
def ack(
    identity: Annotated[str, typer.Argument(metavar="ID")],
    data: Data = DATA_DEFAULT,
    by: By = None,
    note: Note = "",
) -> None:
    """Say that you look after an alert. It stays open until it is over."""
    _answer(data, "ack", by, note, identity, None, None)


@alerts.command(epilog="Example:  pnl alerts snooze --rule overload --for 8h")
def snooze(
    identity: OneOf = None,
    data: Data = DATA_DEFAULT,
    span: Annotated[str, typer.Option("--for", metavar="8h|2d", help="How long.")] = "8h",
    rule: Rule = None,
    subject: Subject = None,
    by: By = None,
    note: Note = "",
) -> None:
    """Hear nothing of an alert, a rule or a subject for a while.

    What is raised meanwhile is recorded, and told when the snooze is over if it still holds.
    """
    _answer(data, "snooze", by, note, identity, rule, subject, _span(span))


@alerts.command(epilog="Example:  pnl alerts unsnooze --rule overload")
def unsnooze(
    identity: OneOf = None,
    data: Data = DATA_DEFAULT,
    rule: Rule = None,
    subject: Subject = None,
    by: By = None,
    note: Note = "",
) -> None:
    """End a snooze, of an alert, a rule or a subject."""
    _answer(data, "unsnooze", by, note, identity, rule, subject)


@alerts.command("test", epilog="Example:  pnl alerts test ops")
def try_route(
    route: Annotated[str, typer.Argument(metavar="ROUTE")], data: Data = DATA_DEFAULT
) -> None:
    """Send a test to a route, and say what became of it. Exit 1 if it was not taken.

    What is sent says that it is a test; nothing of it is written down.
    """
    from pnl.delivering.opening import usable
    from pnl.delivering.trial import trial
    from pnl.settings_alerts import load_alerts
    from pnl.settings_load import load
    from streams.clock import SystemClock

    settings = load(data).settings
    zone = settings.reporting.timezone
    asked = load_alerts(data, zone).route(route)
    now, server = SystemClock().now_ms(), settings.server
    attempt, sentence = trial(
        asked, usable(asked), now, ZoneInfo(zone), server.locale, server.public_url
    )
    typer.echo(sentence)
    if attempt.result != "delivered":
        raise typer.Exit(1)


def _answer(
    data: Path,
    doing: str,
    by: str | None,
    note: str,
    identity: str | None,
    rule: str | None,
    subject: str | None,
    span: timedelta | None = None,
) -> None:
    """Give an answer, about one alert or about what a rule and a subject name."""
    from pnl.cli.asking import run_question

    if identity is not None and (rule is not None or subject is not None):
        raise UserError("Name either an alert or --rule and --subject.")
    args: dict[str, Any] = {"doing": doing, "by": by or getpass.getuser(), "note": note}
    args |= {"alert_id": identity or "", "rule": rule or "", "subject": subject or ""}
    if span is not None:
        args["until"] = _now_ms() + span // timedelta(milliseconds=1)
    if rule is not None:
        args["rules"] = _rules(data)
    run_question(data, "alerts_answer", args)


def _rules(data: Path) -> list[str]:
    """Return the names of the rules in force."""
    from pnl.settings_alerts import load_alerts
    from pnl.settings_load import load

    zone = load(data).settings.reporting.timezone
    return [rule.name for rule in load_alerts(data, zone).rules().rules]


def _span(text: str) -> timedelta:
    """Return how long `8h` is."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise UserError(f"{text!r} is no span of time such as 30m, 8h, 2d or 1w.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _since(text: str, loaded: "Loaded") -> int:
    """Return the moment that `7d` or a local date means, in milliseconds."""
    if _SPAN.fullmatch(text):
        return _now_ms() - _span(text) // timedelta(milliseconds=1)
    try:
        day = datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007 - it is given the zone below
    except ValueError:
        raise UserError(f"{text!r} is neither a span such as 7d nor a date.") from None
    zone = ZoneInfo(loaded.settings.reporting.timezone)
    return round(day.replace(tzinfo=zone).astimezone(UTC).timestamp() * 1000)


def _clears(data: Path, loaded: "Loaded") -> dict[str, str]:
    """Return, by rule, what would clear its alerts."""
    from pnl.reports.alert_words import clears_words
    from pnl.settings_alerts import load_alerts

    rules = load_alerts(data, loaded.settings.reporting.timezone).rules()
    return {rule.name: clears_words(rule.name, rule.kind, rules) for rule in rules.rules}


def _now_ms() -> int:
    from streams.clock import SystemClock

    return SystemClock().now_ms()

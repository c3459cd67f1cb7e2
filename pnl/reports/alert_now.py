"""What an alert is about as it is today, to stand beside the figures it was raised with.

Law: it is what was published last, with the moment it is of; what is not known any more is left
out, never 0, and nothing is judged here: whether an alert holds is what its state says.
"""

from dataclasses import dataclass
from typing import Final

from pnl.reports.alert_trend import newest_window
from pnl.reports.sql import Queryable
from processors.money import PPM
from processors.signal_records import AlertFigure, AlertRecord
from streams.facts import Millis

STAKE: Final = "at stake"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNow:
    """Figures, with the event time they are of; those an alert has too are named the same."""

    as_of: Millis
    figures: tuple[AlertFigure, ...]


def alert_now(store: Queryable, alert: AlertRecord, currency: str) -> AlertNow | None:
    """Return what is known last of an alert's subject; None where nothing is.

    Of a customer by the last record of his risk; of a segment by its newest window in which there
    was something to count. `currency` is where the alert has none.
    """
    if alert.subject_kind == "customer":
        return _customer(store, alert)
    found = newest_window(store, alert, currency)
    if found is None:
        return None
    title, unit, end, value = found
    return AlertNow(as_of=end, figures=(AlertFigure(name=title, value=value, unit=unit),))


def beside(
    alert: AlertRecord, now: AlertNow | None
) -> list[tuple[str, AlertFigure | None, AlertFigure | None]]:
    """Return each figure's name with it as it was then, and as it is now; None: not known there.

    What was at stake is one of them, unless a figure says the same amount already.
    """
    figures, today = list(alert.figures), () if now is None else now.figures
    amounts = {each.value for each in figures if each.unit == "minor"}
    if alert.value_minor is not None and alert.currency and alert.value_minor not in amounts:
        figures.append(AlertFigure(name=STAKE, value=alert.value_minor, unit="minor"))
    current = {each.name: each for each in today}
    then = [(each.name, each, current.pop(each.name, None)) for each in figures]
    return [*then, *((name, None, each) for name, each in current.items())]


def _customer(store: Queryable, alert: AlertRecord) -> AlertNow | None:
    rows = store.query(
        "SELECT risk_ppm, week_ago_ppm, explained_ppm, value_minor, currency,"
        " toUnixTimestamp64Milli(as_of) AS as_of_ms FROM v_churn"
        " WHERE customer_id = {customer:String}",
        {"customer": alert.subject},
    )
    if not rows:
        return None
    (row,) = rows
    risk, stake = row["risk_ppm"], None
    money = row["value_minor"] if row["currency"] == alert.currency else None
    if risk is not None and money is not None:
        stake = int(risk) * int(money) // PPM
    known = (
        ("risk", risk, "ppm"),
        ("risk a week ago", row["week_ago_ppm"], "ppm"),
        ("explained by facts of the last day", row["explained_ppm"], "ppm"),
        ("margin expected", money, "minor"),
        (STAKE, stake, "minor"),
    )
    return AlertNow(
        as_of=int(row["as_of_ms"]),
        figures=tuple(
            AlertFigure(name=name, value=int(value), unit=unit)
            for name, value, unit in known
            if value is not None
        ),
    )

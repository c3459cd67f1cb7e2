"""How alerts are said: subjects, figures with their intervals, and what would clear them.

Law: what is not known is said to be not known, and no figure stands without its unit.
"""

from typing import Final

from pnl.reports import money_text
from pnl.reports.churn_words import SIGNAL_WORDS
from processors.alert_rules import AlertRules
from processors.conditions import DAY_MS, Thresholds
from processors.signal_records import AlertFigure

KIND_TITLES: Final = {
    "churn_customer": "Customer may leave",
    "churn_segment": "Risk in a segment",
    "revenue_drop": "Revenue per contact down",
    "pressure": "Sales pressure",
    "overload": "More work than can be taken",
    "unattributed_share": "Revenue nobody earned",
    "data_late": "Data is late",
    "reconciliation_failure": "Books do not reconcile",
    "missed_opportunity": "Offers missed",
    "fading": "Fading",
}
_SECOND_MS: Final = 1_000
_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400
_MILLI: Final = 1_000


def subject_words(subject_kind: str, subject: str) -> str:
    """Return a subject as it is said: `queue=billing;channel=` is "queue billing, no channel"."""
    if subject_kind == "customer":
        return f"customer {subject}"
    if subject_kind == "segment":
        parts = segment_of(subject_kind, subject).items()
        said = [f"{name} {value}" if value else f"no {name}" for name, value in parts]
        return ", ".join(said) or "the whole centre"
    return subject


def reason_words(reason: str) -> str:
    """Return a reason as it is said: a signal of the risk has a name for people."""
    return SIGNAL_WORDS.get(reason, reason)


def segment_of(subject_kind: str, subject: str) -> dict[str, str]:
    """Return a segment's dimensions with their values; nothing of what is no segment."""
    if subject_kind != "segment":
        return {}
    parts = (part.partition("=") for part in subject.split(";"))
    return {name: value for name, _, value in parts if name}


def figure_words(figure: AlertFigure, currency: str, locale: str = money_text.LOCALE) -> str:
    """Return a figure's value with its interval: "72.0 % (64.1 % to 78.9 %)"; null if unknown."""
    value = value_words(figure.value, figure.unit, currency, locale)
    if figure.value is None or figure.low is None or figure.high is None:
        return value
    low = value_words(figure.low, figure.unit, currency, locale)
    high = value_words(figure.high, figure.unit, currency, locale)
    return f"{value} ({low} to {high})"


def value_words(
    value: int | None, unit: str, currency: str, locale: str = money_text.LOCALE
) -> str:
    """Return a value in its unit: "72.0 %", "3 min 20 s", "£12.40", "2.50"."""
    if value is None:
        return money_text.UNKNOWN
    if unit == "ppm":
        return money_text.share(value, locale)
    if unit == "ms":
        return duration_words(value)
    if unit == "minor" and currency:
        return money_text.money(value, currency, locale)
    if unit == "milli":
        whole, part = divmod(abs(value), _MILLI)
        return f"{money_text.MINUS if value < 0 else ''}{whole}.{part // 10:02d}"
    return money_text.count(value, locale)


def duration_words(ms: int) -> str:
    """Return a duration in its two largest units: "2 h 5 min", "3 min 20 s", "12 s"."""
    seconds = abs(round(ms / _SECOND_MS))
    sign = money_text.MINUS if ms < 0 and seconds else ""
    if seconds >= 2 * _DAY_S:
        return f"{sign}{seconds // _DAY_S} d {seconds % _DAY_S // _HOUR_S} h"
    if seconds >= _HOUR_S:
        return f"{sign}{seconds // _HOUR_S} h {seconds % _HOUR_S // _MINUTE_S} min"
    if seconds >= _MINUTE_S:
        return f"{sign}{seconds // _MINUTE_S} min {seconds % _MINUTE_S} s"
    return f"{sign}{seconds} s"


def clears_words(rule: str, kind: str, rules: AlertRules) -> str:
    """Return what would clear an alert, by the rules as they are now."""
    known = rules.get(rule)
    if known is None:
        return f"There is no rule {rule} any more: it clears with the next facts of its subject."
    when = _CLEARS.get(kind, "It clears once it does not hold any more.")
    said = when.format(**_thresholds(rules.thresholds))
    if known.clear_after_ms:
        said += f" That must last {duration_words(known.clear_after_ms)}."
    if known.cooldown_ms:
        said += f" The rule tells of the same subject once in {duration_words(known.cooldown_ms)}."
    if known.expire_ms:
        said += f" It expires when nothing is heard of it for {known.expire_ms // DAY_MS} days."
    return said


_CLEARS: Final = {
    "churn_customer": (
        "It clears when the risk falls below {clear} and is no longer {rise} up on the week before."
    ),
    "fading": "It clears when the risk is no longer {rise} up on the week before.",
    "churn_segment": "It clears after {quiet} windows in which the rise does not show.",
    "revenue_drop": "It clears after {quiet} windows in which the drop does not show.",
    "pressure": "It clears after {quiet} windows in which no harm shows.",
    "overload": "It clears after {quiet} windows with waits and outcomes as usual.",
    "unattributed_share": "It clears after {quiet} windows in which the share has not moved.",
    "missed_opportunity": "It clears after {quiet} windows in which the rise does not show.",
    "data_late": "It clears when facts come again, less than {late} after they happened.",
    "reconciliation_failure": "It clears when the law holds again, after a repair or `pnl resume`.",
}


def _thresholds(found: Thresholds) -> dict[str, str]:
    return {
        "clear": money_text.share(found.clear_ppm),
        "rise": money_text.share(found.rise_ppm),
        "quiet": str(found.quiet_windows),
        "late": duration_words(found.late_ms),
    }

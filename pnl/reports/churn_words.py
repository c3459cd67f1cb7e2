"""What the report on churn says: its definitions, and a risk's reasons in words."""

from collections.abc import Mapping, Sequence
from typing import Final

from pnl.reports.churn_score import DEFINITION
from pnl.reports.service_words import WORDS

SIGNAL_WORDS: Final[Mapping[str, str]] = {
    "unresolved": "case unresolved or reopened",
    "repeated": "called again on a case",
    "frequent": "many contacts in 90 days",
    "bad_csat": "bad CSAT",
    "complaint": "complaint, or asked to cancel",
    "refund": "refund",
    "long_wait": "long wait, or left waiting",
}
METHOD_WORDS: Final[Mapping[str, str]] = {
    "contract": "contract ends within the horizon",
    "observed": "time since the last purchase, as observed",
}
SILENCE: Final = "time since the last purchase"

DEFINITIONS: Final[Mapping[str, str]] = {
    "RUL-DIMS": WORDS["RUL-DIMS"],
    "CHU-CUSTOMER": "Customers of whom a risk is known. Who never bought has none and is not here:"
    " never counted as a risk of 1.",
    "CHU-PRIORITY": "Risk x margin at stake: what is lost on average if nothing is done, not what a"
    " call would save.",
    "CHU-RISK": "DEF-RISK, live: P(no order worth something within the horizon | the facts known at"
    " the row's as of), calibrated on labels that have matured and moved by signals of contacts; of"
    " a contract: P(it ends within the horizon).",
    "CHU-CHANGE": "Risk less what it was seven days before the row's as of, by the facts known"
    " then.",
    "CHU-EXPLAINED": "Share of the rise that facts of the last 24 hours explain; null where the"
    " risk did not rise. The rest is time without a purchase.",
    "CHU-WHY": "Signals that raise the risk, the strongest first; * weighs what was chosen, not"
    " what was learnt.",
    "CHU-CAUSE": "The fact that moved the risk last.",
    "CHU-VALUE": "Margin expected of the customer within the horizon; null where it is not known.",
    "CHU-STATE": "rising: up by 10 points and .5 in the logit, known within 7 days of the books' as"
    " of, at least half of it by facts of a day (DEF-RISE-C); fading: up as much by time alone;"
    " high: 60 % or more, until below 50 %; steady: none of these. Shares are given from 30"
    " customers on.",
    "CHU-METHOD": "What the risk is made of: contract, bgnbd, pnbd, or observed (Kaplan-Meier"
    " before a fit); and which fit, by day and content.",
    "CHU-ASOF": "When the fact happened that moved the risk last.",
    "CHU-TENTH": DEFINITION,
    "CHU-CONTACT": "The customer's latest handled contact, with its queue, team and channel.",
}


def why(reasons: Sequence[tuple[str, int, str]], method: str) -> str:
    """Return reasons (signal, logit in thousandths, label) in words; those that lower are out."""
    raising = [
        SIGNAL_WORDS.get(signal, signal) + ("*" if label == "heuristic" else "")
        for signal, logit_milli, label in reasons
        if logit_milli > 0
    ]
    return "; ".join(raising) or METHOD_WORDS.get(method, SILENCE)

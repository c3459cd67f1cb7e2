"""What contacts say about who will not buy again: reasons that move a risk between fits.

Law (DEF-RISK-LIVE): a signal adds to the logit of the calibrated risk, and what it adds halves with
its age; of a signal the latest observation counts, once: thresholds, not slopes. Whoever has no
risk (no order) gets none. Until weights are learnt on matured labels they are fixed and say
`heuristic`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec
import numpy as np
from scipy import optimize

from processors.churn import expit
from processors.repeat_models import FloatArray
from processors.results import ContactRecord
from streams.facts import Millis

Signal: TypeAlias = Literal[
    "unresolved", "repeated", "frequent", "bad_csat", "complaint", "refund", "long_wait"
]
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)
DAY_MS: Final = 86_400_000

HEURISTIC: Final[Mapping[Signal, float]] = {
    "unresolved": 0.6,
    "repeated": 0.4,
    "frequent": 0.4,
    "bad_csat": 0.5,
    "complaint": 0.7,
    "refund": 0.3,
    "long_wait": 0.2,
}
"""What a signal adds to the logit when it is new, before anything is learnt: choices, not facts."""

SEEN_MIN: Final = 30
"""Customers who must have shown a signal, and labels of each kind, before its weight is learnt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRules:
    """When something is a signal; times in milliseconds, CSAT on its scale of 1 to 5.

    Of the contacts known only the latest `contacts_max` of the last `looked_back_ms` are looked at,
    so that a history costs the same however long it is: six half-lives leave a 64th.
    """

    half_life_ms: int = 30 * DAY_MS
    looked_back_ms: int = 180 * DAY_MS
    contacts_max: int = 20
    repeated_ms: int = 7 * DAY_MS
    frequent_ms: int = 90 * DAY_MS
    frequent_contacts: int = 4
    long_wait_ms: int = 600_000
    bad_csat_max: int = 2
    complaint_reasons: frozenset[str] = frozenset({"complaint", "cancel", "cancellation"})


class SeenContact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A chain as it is known at the moment; `outcome` is that of its case (DEF-OUTCOME)."""

    contact_id: str
    ended_at: Millis
    case_id: str = ""
    outcome: str = "unknown"
    reopened: bool = False
    abandoned: bool = False
    wait_ms: int = 0
    csat: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SeenRefund:
    """A refund, chargeback or cancellation of one of the customer's orders."""

    order_id: str
    occurred_at: Millis


class Observation(NamedTuple):
    """A signal, when it was seen, and the fact that shows it."""

    signal: Signal
    at: Millis
    fact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What each signal adds to the logit when it is new; `learnt` are those from labels."""

    by_signal: Mapping[Signal, float] = field(default_factory=lambda: dict(HEURISTIC))
    learnt: frozenset[Signal] = frozenset()

    @property
    def label(self) -> str:
        """What reasons made with these weights may claim to be."""
        return "learnt" if self.learnt == set(SIGNALS) else "heuristic"


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why a risk is not the model's own: what it adds to the logit now, and the fact behind it."""

    signal: Signal
    logit: float
    at: Millis
    fact: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRisk:
    """A risk moved by signals, and the reasons, the strongest first."""

    risk: float
    base: float
    reasons: tuple[Reason, ...]


def observations(
    contacts: Sequence[SeenContact],
    refunds: Iterable[SeenRefund],
    at: Millis,
    rules: SignalRules,
) -> tuple[Observation, ...]:
    """Return the latest observation of each signal among what is known at a moment."""
    known = sorted(
        (each for each in contacts if at - rules.looked_back_ms < each.ended_at <= at),
        key=lambda each: (each.ended_at, each.contact_id),
    )[-rules.contacts_max :]
    seen: list[Observation] = []
    cases: dict[str, Millis] = {}
    for each in known:
        shown = shown_by(each, rules)
        seen += [Observation(signal, each.ended_at, each.contact_id) for signal in shown]
        before = cases.get(each.case_id) if each.case_id else None
        if before is not None and each.ended_at - before <= rules.repeated_ms:
            seen.append(Observation("repeated", each.ended_at, each.contact_id))
        cases[each.case_id] = each.ended_at
    recent = [each for each in known if at - each.ended_at < rules.frequent_ms]
    if len(recent) >= rules.frequent_contacts:
        seen.append(Observation("frequent", recent[-1].ended_at, recent[-1].contact_id))
    seen += [
        Observation("refund", each.occurred_at, each.order_id)
        for each in refunds
        if at - rules.looked_back_ms < each.occurred_at <= at
    ]
    latest: dict[Signal, Observation] = {}
    for one in sorted(seen, key=lambda one: (one.at, one.fact)):
        latest[one.signal] = one
    return tuple(latest[signal] for signal in SIGNALS if signal in latest)


def shown_by(contact: SeenContact | ContactRecord, rules: SignalRules) -> list[Signal]:
    """Return the signals that a contact shows by itself."""
    found: list[Signal] = []
    if contact.reopened or contact.outcome in ("unresolved", "reopened"):
        found.append("unresolved")
    if contact.csat is not None and contact.csat <= rules.bad_csat_max:
        found.append("bad_csat")
    if contact.reason in rules.complaint_reasons:
        found.append("complaint")
    if contact.abandoned or contact.wait_ms >= rules.long_wait_ms:
        found.append("long_wait")
    return found


def level(one: Observation, at: Millis, rules: SignalRules) -> float:
    """Return how much of a signal is left: 1 when it is new, half after its half-life."""
    return math.exp2(-(at - one.at) / rules.half_life_ms)


def live_risk(
    base: float | None,
    seen: Iterable[Observation],
    at: Millis,
    rules: SignalRules,
    weights: Weights,
) -> LiveRisk | None:
    """Return the risk moved by signals; None for a customer of whom no risk is known."""
    if base is None or math.isnan(base):
        return None
    reasons = reasons_of(seen, at, rules, weights)
    if not reasons or base in (0.0, 1.0):
        return LiveRisk(risk=base, base=base, reasons=reasons)
    moved = math.log(base / (1 - base)) + math.fsum(reason.logit for reason in reasons)
    return LiveRisk(risk=_expit(moved), base=base, reasons=reasons)


def reasons_of(
    seen: Iterable[Observation], at: Millis, rules: SignalRules, weights: Weights
) -> tuple[Reason, ...]:
    """Return what each signal adds to the logit at a moment, the strongest first."""
    reasons = [
        Reason(
            one.signal,
            weights.by_signal[one.signal] * level(one, at, rules),
            one.at,
            one.fact,
            "learnt" if one.signal in weights.learnt else "heuristic",
        )
        for one in seen
    ]
    if len(reasons) > 1:
        reasons.sort(key=lambda reason: (-abs(reason.logit), reason.signal))
    return tuple(reasons)


def _expit(logits: float) -> float:
    return 0.5 * (1 + math.tanh(logits / 2))


def learn(base_logits: FloatArray, levels: FloatArray, gone: FloatArray) -> Weights:
    """Return the weights that make matured labels most likely, the base risk taken as it is.

    `levels` has a row per customer and a column per signal of SIGNALS, 0 where it was not shown;
    `gone` is 1 for who did not buy. Weights are drawn to the fixed ones as if by ten labels; a
    signal that fewer than 30 customers showed, among those who bought or those who did not, keeps
    its fixed weight.
    """
    shown = levels > 0
    bought = gone == 0
    enough = (shown[bought].sum(axis=0) >= SEEN_MIN) & (shown[~bought].sum(axis=0) >= SEEN_MIN)
    fixed = np.array([HEURISTIC[signal] for signal in SIGNALS])

    def objective(weights: FloatArray) -> tuple[float, FloatArray]:
        at = base_logits + levels @ weights
        away = weights - fixed
        value = float(np.logaddexp(0.0, at).sum() - (gone * at).sum() + 1.25 * away @ away)
        slope = levels.T @ (expit(at) - gone) + 2.5 * away
        return value, np.where(enough, slope, 0.0)

    found = optimize.minimize(objective, fixed, jac=True, method="L-BFGS-B")
    return Weights(
        by_signal={signal: float(found.x[place]) for place, signal in enumerate(SIGNALS)},
        learnt=frozenset(signal for place, signal in enumerate(SIGNALS) if enough[place]),
    )

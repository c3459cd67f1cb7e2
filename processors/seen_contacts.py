"""What a customer's contacts say of his risk: signals as they are now, and as they were known then.

Law: `seen` is what `observations` says of the customer's contacts, without walking through them
all: which chains show something is noted when their record is published. What was known at an
earlier moment is worked out from the facts of before, where later ones have changed it.
"""

from collections.abc import Iterable, Sequence
from typing import Final, cast

from processors.churn_signals import (
    Observation,
    SeenContact,
    Signal,
    SignalRules,
    shown_by,
)
from processors.customer import Customer
from processors.policy import PolicyBook
from processors.purchase_days import PurchaseDays
from processors.results import ContactRecord
from processors.touchpoints import Chain
from streams.facts import Millis, Resolution

ALWAYS: Final[Millis] = 2**62
_NOTED_MAX: Final = 64


def note(customer: Customer, record: ContactRecord, rules: SignalRules) -> None:
    """Note which signals a chain shows, from the record published of it."""
    shown = customer.shown
    assert shown is not None
    if record.handled or record.abandoned:
        signals = shown_by(record, rules)
        if signals:
            shown[record.contact_id] = tuple(signals)
            if len(shown) > _NOTED_MAX + len(customer.chains):
                customer.shown = {at: each for at, each in shown.items() if at in customer.chains}
            return
    shown.pop(record.contact_id, None)


def noted(
    customer: Customer, policies: PolicyBook, rules: SignalRules
) -> dict[str, tuple[str, ...]]:
    """Return which signals the customer's chains of late show, from the facts."""
    found: dict[str, tuple[str, ...]] = {}
    since = (customer.watermark or 0) - rules.looked_back_ms
    for chain in customer.ends:
        if chain.ended_at > since and (chain.handled or chain.abandoned):
            signals = shown_by(seen_contact(customer, chain, policies, ALWAYS), rules)
            if signals:
                found[chain.contact_id] = tuple(signals)
    return found


def seen(
    customer: Customer,
    bought: PurchaseDays,
    known: Millis,
    at: Millis,
    policies: PolicyBook,
    rules: SignalRules,
) -> list[Observation]:
    """Return the latest observation of each signal, at a moment, from what was known at another.

    Known later than the customer's last event is what is known now.
    """
    latest: dict[str, Observation] = {}
    if len(customer.ends) > 1 or customer.shown:
        _look_at_contacts(customer, known, at, policies, rules, latest)
    if bought.taken:
        since = at - rules.looked_back_ms
        made = [(when, name) for name, when in bought.taken.items() if since < when <= known]
        if made:
            when, name = max(made)
            latest["refund"] = Observation("refund", when, name)
    return list(latest.values())


def _look_at_contacts(
    customer: Customer,
    known: Millis,
    at: Millis,
    policies: PolicyBook,
    rules: SignalRules,
    latest: dict[str, Observation],
) -> None:
    """Note the latest observation of each signal of contacts, the newest first."""
    shown = customer.shown or {}
    is_now = customer.watermark is None or known >= customer.watermark
    since, lately = at - rules.looked_back_ms, at - rules.frequent_ms
    resolutions, has_surveys = customer.refers.resolutions, bool(customer.refers.surveys)
    looked_at = recent = 0
    newest: Chain | None = None
    of_cases: list[Chain] = []
    for chain in reversed(customer.ends):
        ended_at = chain.ended_at
        if ended_at > known or not (chain.handled or chain.abandoned):
            continue
        if ended_at <= since or looked_at == rules.contacts_max:
            break
        looked_at += 1
        if newest is None:
            newest = chain
        if ended_at > lately:
            recent += 1
        name, case_id = chain.contact_id, chain.case_id
        if case_id is not None:
            of_cases.append(chain)
        signals: Sequence[str]
        is_told = has_surveys or (case_id is not None and case_id in resolutions)
        if is_now or not is_told or _is_as_then(customer, chain, known):
            signals = shown.get(name, ())
        else:
            signals = shown_by(seen_contact(customer, chain, policies, known), rules)
        for signal in signals:
            if signal not in latest:
                latest[signal] = Observation(cast("Signal", signal), ended_at, name)
    if len(of_cases) > 1 and (again := _again(of_cases, rules.repeated_ms)) is not None:
        latest["repeated"] = Observation("repeated", again.ended_at, again.contact_id)
    if newest is not None and recent >= rules.frequent_contacts:
        latest["frequent"] = Observation("frequent", newest.ended_at, newest.contact_id)


def _again(chains: Iterable[Chain], within_ms: int) -> Chain | None:
    """Return the latest of the chains, newest first, that came soon after another of its case."""
    later: dict[str | None, Chain] = {}
    again: list[Chain] = []
    for chain in chains:
        after = later.get(chain.case_id)
        if after is not None and after.ended_at - chain.ended_at <= within_ms:
            again.append(after)
        later[chain.case_id] = chain
    return max(again, key=_when, default=None)


def _is_as_then(customer: Customer, chain: Chain, known: Millis) -> bool:
    """Say whether what is told of a chain now was known at a moment already: cheap, and careful."""
    refers = customer.refers
    surveys = refers.surveys
    if surveys:
        for leg in chain.legs:
            if leg.contact_id in surveys or leg.chain_id in surveys:
                return False
    ids = refers.resolutions.get(chain.case_id) if chain.case_id is not None else None
    if not ids:
        return True
    if len(customer.case_chains[chain.case_id or ""]) > 1:
        return False
    return all(customer.resolutions[event_id].fact.occurred_at <= known for event_id in ids)


def _when(chain: Chain) -> tuple[Millis, str]:
    return chain.ended_at, chain.contact_id


def seen_contact(
    customer: Customer, chain: Chain, policies: PolicyBook, known: Millis
) -> SeenContact:
    """Return a chain as the facts of up to a moment tell it."""
    of_case = _known(customer, customer.refers.resolutions.get(chain.case_id or ""), known)
    return SeenContact(
        contact_id=chain.contact_id,
        ended_at=chain.ended_at,
        case_id=chain.case_id or "",
        outcome=_outcome(customer, chain, of_case, policies, known),
        reopened="reopened" in [fact.outcome for fact in of_case],
        abandoned=chain.abandoned,
        wait_ms=sum([leg.wait_ms for leg in chain.legs]),
        csat=_csat(customer, chain, of_case, known),
        reason=chain.face.reason or "",
    )


def _known(customer: Customer, ids: list[str] | None, known: Millis) -> list[Resolution]:
    """Return resolutions of up to a moment, in order of time."""
    if not ids:
        return []
    facts = [customer.resolutions[event_id].fact for event_id in ids]
    return sorted(
        [fact for fact in facts if fact.occurred_at <= known],
        key=lambda fact: (fact.occurred_at, fact.event_id),
    )


def _outcome(
    customer: Customer,
    chain: Chain,
    of_case: list[Resolution],
    policies: PolicyBook,
    known: Millis,
) -> str:
    """Return how a chain's case stood (DEF-OUTCOME), as `outcome_of` does of now."""
    if not chain.handled:
        return "abandoned" if chain.abandoned else "unknown"
    if not of_case:
        return "unknown"
    last = of_case[-1]
    if last.outcome != "resolved":
        return "unresolved"
    until = min(last.occurred_at + policies.first_contact_resolution_ms, known)
    for name in customer.case_chains.get(chain.case_id or "", ()):
        if last.occurred_at < customer.chains[name].started_at <= until:
            return "unresolved"
    return "resolved"


def _csat(customer: Customer, chain: Chain, of_case: list[Resolution], known: Millis) -> int | None:
    """Return the latest CSAT of the case, else of what names the chain."""
    for fact in reversed(of_case):
        if fact.csat is not None:
            return fact.csat
    surveys = customer.refers.surveys
    if not surveys:
        return None
    ids = {event_id for ref in chain.refs for event_id in surveys.get(ref, ())}
    for fact in reversed(_known(customer, list(ids), known)):
        if fact.csat is not None:
            return fact.csat
    return None

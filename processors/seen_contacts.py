"""What a customer's contacts say of his risk: signals as they are now, and as they were known then.

Law: `seen_now` is what `observations` says of the customer's contacts, without walking through them
all: which chains show something is noted when their record is published. What was known at an
earlier moment is worked out from the facts of before.
"""

from collections.abc import Iterator
from typing import Final, cast

from processors.churn_signals import (
    Observation,
    SeenContact,
    SeenRefund,
    Signal,
    SignalRules,
    observations,
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


def counts(chain: Chain) -> bool:
    """Say whether a chain is a contact to the customer: somebody was reached, or given up on."""
    return chain.handled or chain.abandoned


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
    """Return which signals the customer's latest chains show, from the facts."""
    found: dict[str, tuple[str, ...]] = {}
    for chain in latest_chains(customer, ALWAYS, rules.contacts_max):
        signals = shown_by(seen_contact(customer, chain, policies, ALWAYS), rules)
        if signals:
            found[chain.contact_id] = tuple(signals)
    return found


def latest_chains(customer: Customer, known: Millis, limit: int) -> Iterator[Chain]:
    """Yield the latest contacts that had ended by a moment, the newest first."""
    for chain in reversed(customer.ends):
        if chain.ended_at <= known and counts(chain):
            yield chain
            limit -= 1
            if limit == 0:
                return


def seen_now(
    customer: Customer, bought: PurchaseDays, at: Millis, rules: SignalRules
) -> list[Observation]:
    """Return the latest observation of each signal; `at` is not before the last contact."""
    latest: dict[str, Observation] = {}
    ends, shown = customer.ends, customer.shown
    if len(ends) > 1 or shown:
        _look_at_contacts(customer, at, rules, latest)
    if bought.taken:
        when, name = max([(when, name) for name, when in bought.taken.items()])
        if when <= at:
            latest["refund"] = Observation("refund", when, name)
    return list(latest.values())


def _look_at_contacts(
    customer: Customer, at: Millis, rules: SignalRules, latest: dict[str, Observation]
) -> None:
    shown = customer.shown or {}
    later: dict[str, Chain] = {}
    again: Chain | None = None
    newest: Chain | None = None
    recent = 0
    for chain in latest_chains(customer, at, rules.contacts_max):
        ended_at, name, case_id = chain.ended_at, chain.contact_id, chain.case_id
        if name in shown:
            for signal in shown[name]:
                if signal not in latest:
                    latest[signal] = Observation(cast("Signal", signal), ended_at, name)
        if newest is None:
            newest = chain
        if at - ended_at < rules.frequent_ms:
            recent += 1
        if case_id is not None:
            after = later.get(case_id)
            if (
                after is not None
                and after.ended_at - ended_at <= rules.repeated_ms
                and (again is None or _when(after) > _when(again))
            ):
                again = after
            later[case_id] = chain
    if again is not None:
        latest["repeated"] = Observation("repeated", again.ended_at, again.contact_id)
    if recent >= rules.frequent_contacts and newest is not None:
        latest["frequent"] = Observation("frequent", newest.ended_at, newest.contact_id)


def _when(chain: Chain) -> tuple[Millis, str]:
    return chain.ended_at, chain.contact_id


def seen_then(
    customer: Customer,
    bought: PurchaseDays,
    known: Millis,
    at: Millis,
    policies: PolicyBook,
    rules: SignalRules,
) -> tuple[Observation, ...]:
    """Return the latest observation of each signal, at a moment, from what was known before."""
    contacts = [
        seen_contact(customer, chain, policies, known)
        for chain in latest_chains(customer, known, rules.contacts_max)
    ]
    refunds = [SeenRefund(name, when) for name, when in bought.taken.items() if when <= known]
    return observations(contacts, refunds, at, rules)


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

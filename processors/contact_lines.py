"""What a chain costs and is charged: C1 handling, C3 channel, A2 fees.

Law: these entries follow from the chain, the rates of their own dates (a leg's end, the chain's
end), and whether a support order was sold in it; no order's revenue is theirs. Every leg costs
handling, transfers included; channel and fee are once per chain (DEF-RATE, RUL-C1, RUL-C3,
RUL-FEE).
"""

from collections.abc import Collection, Sequence
from typing import Final

from msgspec.structs import replace

from processors.days import day_of_instant
from processors.money import at_rate
from processors.policy import Policy, PolicyBook, Tariff
from processors.results import UNBOOKED, Basis, Entry
from processors.touchpoints import Chain, is_control
from streams.facts import SELF_SERVICE, Contact, Millis


def loaded_rate(leg: Contact, policy: Policy) -> int:
    """Return the loaded hourly rate of a leg: by agent, else by queue, else the default."""
    if leg.agent_id is not None:
        by_agent = policy.loaded_per_hour_minor_by_agent.get(leg.agent_id)
        if by_agent is not None:
            return by_agent
    return policy.loaded_per_hour_minor_by_queue.get(leg.queue, policy.loaded_per_hour_minor)


def handling_entry(leg: Contact, chain: Chain, policy: Policy) -> Entry | None:
    """Return C1 of a leg, under the leg's own queue and agent; None if it costs nothing."""
    if leg.agent_id is None and leg.disposition_code == SELF_SERVICE:
        return None
    handle_ms = leg.talk_ms + leg.hold_ms + leg.wrap_ms
    amount = at_rate(handle_ms, loaded_rate(leg, policy)) if handle_ms else 0
    if amount == 0:
        return None
    return Entry(
        "C1",
        "standard",
        -amount,
        policy.currency,
        leg.ended_at,
        "",
        chain.contact_id,
        leg.contact_id,
        chain.case_id or "",
        "",
        leg.queue,
        leg.team or "",
        leg.agent_id or "",
        leg.channel,
        leg.reason or "",
        leg.kind,
    )


_BASIS: Final[dict[str, Basis]] = {"C3": "standard", UNBOOKED: "control"}


def chain_entry(
    chain: Chain,
    line: str,
    amount_minor: int,
    currency: str,
    effective_at: Millis,
    leg_id: str = "",
    tariff: str = "",
    note: str = "",
) -> Entry:
    """Return an entry about a chain, under the chain's dimensions."""
    face = chain.face
    # By position: a call with over 15 keywords first builds a dictionary of them.
    return Entry(
        line,
        _BASIS.get(line, "booked"),
        amount_minor,
        currency,
        effective_at,
        "",
        chain.contact_id,
        leg_id,
        chain.case_id or "",
        "",
        face.queue,
        face.team or "",
        face.agent_id or "",
        face.channel,
        face.reason or "",
        face.kind,
        tariff,
        "",
        note,
    )


def chain_entries(
    chain: Chain,
    policies: PolicyBook,
    *,
    displaced: bool,
    events_charged_here: Collection[str],
) -> tuple[Entry, ...]:
    """Return all that a chain books.

    `displaced`: a support order line sold in this chain takes the place of its fees.
    `events_charged_here`: the per-event tariffs that this chain of its case is charged for.
    """
    entries: list[Entry] = []
    billed = [leg for leg in chain.legs if leg.experiment is None or not is_control(leg)]
    last = policies.at(chain.ended_at)
    currency = last.currency
    for leg in billed:
        policy = last if leg.ended_at == chain.ended_at else policies.at(leg.ended_at)
        entry = handling_entry(leg, chain, policy)
        if entry is not None:
            entries.append(entry)
        rate = policy.channels.get(leg.channel)
        if rate is not None and rate.per_minute_minor:
            amount = at_rate(leg.talk_ms + leg.hold_ms, 60 * rate.per_minute_minor)
            if amount:
                entries.append(
                    chain_entry(chain, "C3", -amount, currency, leg.ended_at, leg.contact_id)
                )
    rate = last.channels.get(chain.face.channel)
    if rate is not None and rate.per_contact_minor and billed:
        once = -rate.per_contact_minor
        entries.append(chain_entry(chain, "C3", once, currency, chain.ended_at))
    if chain.has_fee and chain.handled:
        entries += fee_entries(chain, billed, last, displaced, events_charged_here)
    return tuple(entries)


def fee_entries(
    chain: Chain,
    legs: Sequence[Contact],
    policy: Policy,
    displaced: bool,
    events_charged_here: Collection[str],
) -> list[Entry]:
    """Return the fees of a handled chain: A2a (event), A2b (minute, term), A2c (flat, stated)."""
    entries: list[Entry] = []
    at, currency = chain.ended_at, policy.currency
    charged_ms: dict[str, int] = {}
    for leg in legs:
        if leg.fee is None:
            continue
        stated = leg.fee.amount_minor
        if stated is not None:
            if stated and not displaced:
                paid_in = leg.fee.currency or currency
                entries.append(chain_entry(chain, "A2c", stated, paid_in, at, leg.contact_id))
        elif leg.fee.tariff is not None:
            duration = leg.talk_ms + leg.hold_ms
            charged_ms[leg.fee.tariff] = charged_ms.get(leg.fee.tariff, 0) + duration
    for name, duration in sorted(charged_ms.items()):
        tariff = policy.tariffs.get(name)
        if tariff is None:
            note = "unknown_tariff"
            entries.append(chain_entry(chain, UNBOOKED, 0, currency, at, tariff=name, note=note))
            continue
        per_event = tariff.kind == "per_event"
        due = name in events_charged_here if per_event else not displaced
        line, amount = fee(tariff, duration)
        if due and amount:
            entry = chain_entry(chain, line, amount, currency, at, tariff=name)
            entries.append(_earned_later(entry, tariff, policy) if _is_term(tariff) else entry)
    return entries


def _is_term(tariff: Tariff) -> bool:
    return tariff.kind == "per_term"


def _earned_later(entry: Entry, tariff: Tariff, policy: Policy) -> Entry:
    """Return a fee as one that is earned by the day, the day it was charged included."""
    start = day_of_instant(entry.effective_at, policy.zone)
    return replace(
        entry,
        basis="accrued",
        term_start=start,
        term_end=start + tariff.term_days,
        spread_minor=entry.amount_minor,
    )


def fee(tariff: Tariff, charged_ms: int) -> tuple[str, int]:
    """Return the line and the amount a tariff charges for this much talk and hold (RUL-FEE)."""
    match tariff.kind:
        case "per_event":
            return "A2a", tariff.amount_minor
        case "flat":
            return "A2c", tariff.amount_minor
        case "per_term":
            return "A2b", tariff.amount_minor
        case "per_minute":
            increment = tariff.increment_ms
            rounded = -(-charged_ms // increment) * increment
            return "A2b", at_rate(max(tariff.minimum_ms, rounded), tariff.per_hour_minor)


def event_tariffs(legs: Sequence[Contact], policy: Policy) -> set[str]:
    """Return the per-event tariffs that some legs carry."""
    return {
        leg.fee.tariff
        for leg in legs
        if leg.fee is not None
        and leg.fee.amount_minor is None
        and leg.fee.tariff is not None
        and not is_control(leg)
        and (tariff := policy.tariffs.get(leg.fee.tariff)) is not None
        and tariff.kind == "per_event"
    }

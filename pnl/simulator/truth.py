"""What truth.json says: every effect that was put into the events, so that it can be looked for.

Law: each order a contact caused, each refund that was made, each order that was lost and each
customer who left is listed with the contact that did it; counts and totals are those of the
events. What would have fallen after the end of the simulated time is neither in the events nor
here. docs/simulator.md describes each field.
"""

from typing import Literal, TypeAlias

import msgspec

from streams.facts import Millis

Effect: TypeAlias = Literal["in_contact", "post_contact"]


class _Value(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    pass


class QueueTruth(_Value, frozen=True):
    """The effects of a queue: the rates they were drawn with, and how often they came true.

    Rates are parts per million, per contact (chain), for an average agent. An order after a
    contact has its chance in each resolved chain of a known customer; counted are those whose
    30 days ended within the simulated time, with the mean of the rates they were drawn with
    (`post_contact_expected_ppm`) and the orders they caused. `unresolved_known` are the
    unresolved chains of known customers; `lost_order_chances` the baseline orders that fell
    into the 30 days after one, before any was resolved, `lost_orders` those of them not placed.
    """

    queue: str
    resolve_ppm: int
    post_contact_ppm: int
    lost_ppm: int
    product_sale_ppm: int
    upgrade_sale_ppm: int
    maintenance_sale_ppm: int
    support_sale_ppm: int
    handled: int
    resolved: int
    post_contact_chances: int
    post_contact_orders: int
    post_contact_expected_ppm: int
    in_contact_orders: int
    unresolved_known: int
    lost_order_chances: int
    lost_orders: int


class AgentTruth(_Value, frozen=True):
    """An agent's true skill; 1,000,000 is average. Counts are of chains the agent ended."""

    agent_id: str
    team: str
    skill_ppm: int
    sales_ppm: int
    pace_ppm: int
    handled: int
    resolved: int
    caused_orders: int


class CausedOrder(_Value, frozen=True):
    """An order that would not be there without the contact (the name of its chain)."""

    order_id: str
    contact_id: str
    effect: Effect
    queue: str
    agent_id: str
    amount_minor: int
    occurred_at: Millis


class MadeRefund(_Value, frozen=True):
    """A refund and the order it truly takes back, also where the fact does not say so."""

    order_id: str
    of: str | None
    linked: bool
    amount_minor: int
    occurred_at: Millis


class LostOrder(_Value, frozen=True):
    """An order that was not placed because of an unresolved contact."""

    customer_id: str
    contact_id: str
    queue: str
    amount_minor: int
    would_have_occurred_at: Millis


class Departure(_Value, frozen=True):
    """A customer who called and bought no more after this contact, because of it.

    What an earlier contact had caused may still come.
    """

    customer_id: str
    contact_id: str
    queue: str
    resolved: bool
    churned_at: Millis


class OutageTruth(_Value, frozen=True):
    """A queue in trouble: waits three times as long, half as much is resolved."""

    queue: str
    starts_at: Millis
    ends_at: Millis


class Experiment(_Value, frozen=True):
    """A random assignment: who was called (`treated`) and who deliberately was not."""

    id: str
    treated: int
    control: int


class Counts(_Value, frozen=True):
    """How many there are of what: facts by topic, orders by kind, contacts by what became of them.

    `chains` = `handled` + `abandoned` + `controls`; unidentified chains are among all of these.
    """

    contacts: int
    resolutions: int
    orders: int
    costs: int
    chains: int
    handled: int
    abandoned: int
    controls: int
    unidentified: int
    transferred: int
    orders_by_kind: dict[str, int]
    costs_by_kind: dict[str, int]
    given_orders: int
    made_orders: int


class Totals(_Value, frozen=True):
    """Sums in minor units of `currency`, of what the simulation made (given orders left out)."""

    orders_by_kind_minor: dict[str, int]
    costs_by_kind_minor: dict[str, int]
    caused_minor: int
    lost_minor: int


class Truth(_Value, frozen=True):
    """All of it.

    `baseline_ppm`: orders of a customer in 30 days that no contact caused, on average, in parts
    per million; null where the orders were given.
    """

    version: int
    mode: Literal["overlay", "generate"]
    seed: int
    arguments: dict[str, int]
    currency: str
    timezone: str
    effect_days: int
    from_at: Millis
    to_at: Millis
    baseline_ppm: int | None
    churn_unresolved_ppm: int
    churn_resolved_ppm: int
    queues: list[QueueTruth]
    agents: list[AgentTruth]
    experiments: list[Experiment]
    outages: list[OutageTruth]
    counts: Counts
    totals: Totals
    caused_orders: list[CausedOrder]
    refunds: list[MadeRefund]
    lost_orders: list[LostOrder]
    departures: list[Departure]


def to_json(truth: Truth) -> bytes:
    """Write a truth as JSON, the same bytes for the same truth."""
    return msgspec.json.format(msgspec.json.encode(truth, order="deterministic"), indent=1) + b"\n"

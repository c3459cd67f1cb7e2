"""From result records to rows: which columns of which table a topic fills, and how.

Law: a row depends on its record alone (its content and its log coordinates), so copying a record
again gives the same row under the same identity. What columns are made of is in `sinks.targets`.
"""

from typing import Final

import msgspec

from processors.results import (
    Amendment,
    AttributionRecord,
    BatchRecord,
    BatchSource,
    ContactRecord,
    CostRecord,
    Credit,
    CurrencyAmount,
    Entry,
    Exceptional,
    LedgerRecord,
    LegPart,
    OrderRecord,
    PathContact,
    PeriodRecord,
    RateRecord,
)
from sinks.signal_rows import SIGNAL_SOURCES
from sinks.targets import (
    PLACE,
    Target,
    each_of,
    maybe_time,
    plain,
    source_of,
    time_of,
    versioned,
)
from streams import topics
from streams.dead_letters import DeadLetter
from streams.facts import CutPlace, Offer


def _of_legs(name: str, alone: str) -> str:
    """Return a field of each leg: a chain of one leg has it itself, as `alone`."""
    return f"if(legs = 1, [{alone}], {each_of('parts', LegPart, name)})"


def _times_of_legs(name: str) -> str:
    every = f"arrayMap(x -> {time_of('x')}, {_of_legs(name, name)})"
    if name != "connected_at":
        return every
    return f"arrayMap(x -> {maybe_time('x')}, {_of_legs(name, name)})"


def _entry(name: str) -> str:
    position = [f.name for f in msgspec.structs.fields(Entry)].index(name) + 1
    return f"tupleElement(e, {position})"


_EFFECTIVE_AT: Final = time_of(_entry("effective_at"))
_MONTH: Final = f"toYear({_EFFECTIVE_AT}) * 100 + toMonth({_EFFECTIVE_AT})"
MONTH_IS: Final = f"{_MONTH} = {{month:UInt32}}"
"""The condition that keeps an insert within one month."""

_LEDGER: Final = Target(
    table="ledger",
    unfold="entries",
    by_month=True,
    columns={f.name: _entry(f.name) for f in msgspec.structs.fields(Entry)}
    | PLACE
    | {
        "effective_at": _EFFECTIVE_AT,
        "month": _MONTH,
        "log_position": "position - 1",
        "booked_at": time_of("booked_at"),
        "cause_fact": "cause.fact",
        "cause_id": "cause.id",
        "cause_revision": "cause.revision",
        "src_topic": "cause.topic",
        "src_partition": "cause.partition",
        "src_offset": "cause.offset",
    }
    | plain(LedgerRecord, "customer_id", "batch_id", "policy", "repair"),
)

_ATTRIBUTIONS: Final = Target(
    table="attributions",
    columns=PLACE
    | versioned("revision")
    | plain(
        AttributionRecord,
        *("order_id", "customer_id", "revision", "currency", "gross_minor", "net_minor"),
        *("unattributed_minor", "model", "sold_in", "sold_unknown", "changed", "withdrawn"),
    )
    | {
        "occurred_at": time_of("occurred_at"),
        "credit_contact_ids": each_of("credits", Credit, "contact_id"),
        "credit_case_ids": each_of("credits", Credit, "case_id"),
        "credit_classes": each_of("credits", Credit, "product_class"),
        "credit_lines": each_of("credits", Credit, "line"),
        "credits_minor": each_of("credits", Credit, "credit_minor"),
        "credit_weights": each_of("credits", Credit, "weight"),
        "classes": "arrayMap(x -> x.product_class, classes)",
        "class_gross_minor": "arrayMap(x -> x.gross_minor, classes)",
        "class_net_minor": "arrayMap(x -> x.net_minor, classes)",
        "class_lookback_ms": "arrayMap(x -> x.lookback_ms, classes)",
        "path_contact_ids": each_of("path", PathContact, "contact_id"),
        "path_case_ids": each_of("path", PathContact, "case_id"),
        "path_ended_at": f"arrayMap(x -> {time_of('x.ended_at')}, path)",
        "path_handle_ms": each_of("path", PathContact, "handle_ms"),
    },
)

_CONTACTS: Final = Target(
    table="contacts",
    columns=PLACE
    | versioned("version")
    | {"record_version": "version"}
    | {name: time_of(name) for name in ("started_at", "ended_at", "matures_at")}
    | plain(
        ContactRecord,
        *("contact_id", "customer_id", "identified", "handled", "abandoned", "outcome", "legs"),
        *("channel", "direction", "kind", "queue", "talk_ms", "hold_ms", "wrap_ms", "wait_ms"),
        *("cost_currency", "cost_minor", "fee_minor", "case_id", "team", "agent_id", "reason"),
        *("tier", "disposition_code", "withdrawn"),
    )
    | {
        "credit_currencies": each_of("credits", CurrencyAmount, "currency"),
        "credits_minor": each_of("credits", CurrencyAmount, "amount_minor"),
    }
    | plain(
        ContactRecord,
        *("csat", "nps", "ces", "resolutions", "reopened", "escalated"),
        *("experiment_id", "experiment_arm"),
    )
    | {
        "resolved_at": maybe_time("resolved_at"),
        "offer_classes": each_of("offers", Offer, "product_class"),
        "offers_eligible": each_of("offers", Offer, "eligible"),
        "offers_offered": each_of("offers", Offer, "offered"),
        "offers_accepted": each_of("offers", Offer, "accepted"),
        "leg_ids": _of_legs("contact_id", "contact_id"),
        "leg_agents": _of_legs("agent_id", "agent_id"),
        "leg_queues": _of_legs("queue", "queue"),
        "leg_started_at": _times_of_legs("started_at"),
        "leg_connected_at": _times_of_legs("connected_at"),
        "leg_ended_at": _times_of_legs("ended_at"),
        "leg_talk_ms": _of_legs("talk_ms", "talk_ms"),
        "leg_hold_ms": _of_legs("hold_ms", "hold_ms"),
        "leg_wrap_ms": _of_legs("wrap_ms", "wrap_ms"),
    },
)

_ORDERS: Final = Target(
    table="orders",
    columns=PLACE
    | versioned("version")
    | {"record_version": "version", "occurred_at": time_of("occurred_at")}
    | plain(
        OrderRecord,
        *("order_id", "customer_id", "kind", "currency", "net_effect_minor", "identified"),
        *("refund_of", "linked_to", "orphan", "withdrawn"),
        *("contact_id", "agent_id", "referred_by"),
    ),
)

_COSTS: Final = Target(
    table="costs",
    columns=PLACE
    | versioned("version")
    | {"record_version": "version", "occurred_at": time_of("occurred_at")}
    | {name: maybe_time(name) for name in ("period_start", "period_end")}
    | plain(
        CostRecord,
        *("event_id", "customer_id", "kind", "currency", "amount_minor", "agent_id", "queue"),
        *("channel", "contact_id", "withdrawn"),
    ),
)

_PERIODS: Final = Target(
    table="periods",
    columns=PLACE
    | versioned("revision")
    | plain(PeriodRecord, "event_id", "period", "revision", "withdrawn")
    | {
        "closed_at": time_of("closed_at"),
        "cut_partitions": each_of("cut", CutPlace, "partition"),
        "cut_offsets": each_of("cut", CutPlace, "offset"),
    },
)

_RATES: Final = Target(
    table="rates",
    columns=PLACE
    | versioned("log_offset")
    | {"day": "toInt32(day)"}
    | plain(RateRecord, "base", "quote", "rate_e10"),
)

_BATCHES: Final = Target(
    table="batches",
    columns=PLACE
    | plain(
        BatchRecord,
        *("batch_id", "out_rows", "out_sum_minor", "code_version", "policy", "state_hash"),
    )
    | {name: time_of(name) for name in ("event_time_max", "logged_at_max")}
    | {
        "amended_batch_ids": each_of("amends", Amendment, "batch_id"),
        "amended_rows": each_of("amends", Amendment, "rows"),
        "amended_minor": each_of("amends", Amendment, "sum_minor"),
        "voided_offsets": "voids",
    },
)

_BATCH_SOURCES: Final = Target(
    table="batch_sources",
    unfold="sources",
    columns=PLACE
    | {"log_position": "position - 1", "batch_id": "batch_id"}
    | {"src_topic": "e.topic", "src_partition": "e.partition"}
    | {"start_offset": "e.start", "end_offset": "e.end"}
    | {name: f"e.{name}" for name in plain(BatchSource, "applied", "duplicate", "late", "dead")}
    | {
        "exception_dispositions": each_of("e.exceptions", Exceptional, "disposition"),
        "exception_starts": each_of("e.exceptions", Exceptional, "start"),
        "exception_ends": each_of("e.exceptions", Exceptional, "end"),
    },
)

_DEAD_LETTERS: Final = Target(
    table="dead_letters",
    columns=PLACE
    | {"src_topic": "topic", "src_epoch": "epoch", "src_partition": "partition"}
    | {"src_offset": "offset", "logged_at": time_of("logged_at")}
    | plain(
        DeadLetter,
        *("reason", "detail", "key_base64", "value_size", "value_sha256", "value_base64"),
        "code_version",
    ),
)


SOURCES: Final = {
    source.topic: source
    for source in (
        source_of(topics.LEDGER, LedgerRecord, _LEDGER),
        source_of(topics.ATTRIBUTIONS, AttributionRecord, _ATTRIBUTIONS),
        source_of(topics.CONTACT_FACTS, ContactRecord, _CONTACTS),
        source_of(topics.ORDER_FACTS, OrderRecord, _ORDERS),
        source_of(topics.COST_FACTS, CostRecord, _COSTS),
        source_of(topics.PERIOD_FACTS, PeriodRecord, _PERIODS),
        source_of(topics.RATES, RateRecord, _RATES),
        *SIGNAL_SOURCES,
        source_of(topics.DEAD_LETTERS, DeadLetter, _DEAD_LETTERS),
        source_of(topics.BATCHES, BatchRecord, _BATCHES, _BATCH_SOURCES),
    )
}
"""Every topic that is stored, in the order the sink writes them: batch records last, so that what
they account for is there before them."""

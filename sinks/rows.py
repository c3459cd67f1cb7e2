"""From result records to rows: which columns of which table a topic fills, and how.

Law: a row depends on its record alone (its content and its log coordinates), so copying a record
again gives the same row under the same identity.

The engine parses the records itself: Python adds the coordinates to each record's JSON
(`sinks.framing`) and hands the bytes over. Decoding to columns in Python took 50 µs an event under
the interpreter's lock, this takes 3 µs, the engine 10 µs outside it. The input types are derived
from the structs of `processors.results`, so they cannot drift apart; the output expressions are
written here.
"""

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Union, get_args, get_origin, get_type_hints

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
from streams import topics
from streams.dead_letters import DeadLetter
from streams.facts import CutPlace, Offer

_COUNTER_BITS: Final = 48
_SCALARS: Final[Mapping[object, str]] = {int: "Int64", str: "String", bool: "Bool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A table that a topic's records become rows of.

    `columns` maps each column to its SQL expression over the record's fields; `unfold`, an array
    field of the record, makes a row of each element `e` at 1-based `position`.
    """

    table: str
    columns: Mapping[str, str]
    unfold: str = ""
    by_month: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How a topic's records are read: their type, the tables they fill."""

    topic: str
    record: type[msgspec.Struct]
    targets: tuple[Target, ...]
    structure: str = field(default="")


def input_type(annotation: object) -> str:
    """Return the ClickHouse type that reads a field's JSON.

    Integers are Int64, text is String, tuples are arrays, structs are tuples: named where they
    are JSON objects, unnamed where they are JSON arrays. An absent or null field reads as its
    type's zero, but a nullable integer stays null.
    """
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        hints = get_type_hints(annotation)
        fields = [(f.name, input_type(hints[f.name])) for f in msgspec.structs.fields(annotation)]
        if annotation.__struct_config__.array_like:
            return f"Tuple({', '.join(kind for _, kind in fields)})"
        return f"Tuple({', '.join(f'{name} {kind}' for name, kind in fields)})"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        return f"Array({input_type(arguments[0])})"
    if origin in (Union, types.UnionType):
        (present,) = (argument for argument in arguments if argument is not type(None))
        kind = input_type(present)
        return f"Nullable({kind})" if kind == "Int64" else kind
    if origin is not None:
        return "String"  # a Literal
    return _SCALARS[annotation]


def structure_of(record: type[msgspec.Struct]) -> str:
    """Return the structure that the engine reads a topic's lines by."""
    hints = get_type_hints(record)
    fields = [f"{f.name} {input_type(hints[f.name])}" for f in msgspec.structs.fields(record)]
    return ", ".join(["log_partition UInt16", "log_offset Int64", *fields])


def insert_statement(target: Target, source: str, where: str = "") -> str:
    """Return the INSERT that turns what `source` (a FROM expression) gives into rows.

    Its parameters are `epoch` and what `where` names.
    """
    unfolded = (
        f" ARRAY JOIN {target.unfold} AS e, arrayEnumerate({target.unfold}) AS position"
        if target.unfold
        else ""
    )
    return (
        f"INSERT INTO {target.table} ({', '.join(target.columns)})"
        f" SELECT {', '.join(target.columns.values())} FROM {source}{unfolded}"
        + (f" WHERE {where}" if where else "")
    )


def _time(expression: str) -> str:
    return f"fromUnixTimestamp64Milli({expression}, 'UTC')"


def _each(array: str, record: type[msgspec.Struct], name: str) -> str:
    """Return the array of one field of an array of structs."""
    position = [f.name for f in msgspec.structs.fields(record)].index(name) + 1
    return f"arrayMap(x -> tupleElement(x, {position}), {array})"


def _plain(record: type[msgspec.Struct], *names: str) -> dict[str, str]:
    known = {f.name for f in msgspec.structs.fields(record)}
    assert known.issuperset(names), set(names) - known
    return {name: name for name in names}


def _maybe_time(name: str) -> str:
    """Return a time that may be absent: null then."""
    return f"if(isNull({name}), NULL, {_time(f'assumeNotNull({name})')})"


def _of_legs(name: str, alone: str) -> str:
    """Return a field of each leg: a chain of one leg has it itself, as `alone`."""
    return f"if(legs = 1, [{alone}], {_each('parts', LegPart, name)})"


def _times_of_legs(name: str) -> str:
    each = f"arrayMap(x -> {_time('x')}, {_of_legs(name, name)})"
    if name != "connected_at":
        return each
    return f"arrayMap(x -> {_maybe_time('x')}, {_of_legs(name, name)})"


_EPOCH: Final = "{epoch:UInt64}"
_PLACE: Final = {
    "log_epoch": _EPOCH,
    "log_partition": "log_partition",
    "log_offset": "log_offset",
}


def _version(counter: str) -> dict[str, str]:
    return {"version": f"bitShiftLeft({_EPOCH}, {_COUNTER_BITS}) + {counter}"}


def _entry(name: str) -> str:
    position = [f.name for f in msgspec.structs.fields(Entry)].index(name) + 1
    return f"tupleElement(e, {position})"


_EFFECTIVE_AT: Final = _time(_entry("effective_at"))
_MONTH: Final = f"toYear({_EFFECTIVE_AT}) * 100 + toMonth({_EFFECTIVE_AT})"
MONTH_IS: Final = f"{_MONTH} = {{month:UInt32}}"
"""The condition that keeps an insert within one month."""

_LEDGER: Final = Target(
    table="ledger",
    unfold="entries",
    by_month=True,
    columns={f.name: _entry(f.name) for f in msgspec.structs.fields(Entry)}
    | _PLACE
    | {
        "effective_at": _EFFECTIVE_AT,
        "month": _MONTH,
        "log_position": "position - 1",
        "booked_at": _time("booked_at"),
        "cause_fact": "cause.fact",
        "cause_id": "cause.id",
        "cause_revision": "cause.revision",
        "src_topic": "cause.topic",
        "src_partition": "cause.partition",
        "src_offset": "cause.offset",
    }
    | _plain(LedgerRecord, "customer_id", "batch_id", "policy", "repair"),
)

_ATTRIBUTIONS: Final = Target(
    table="attributions",
    columns=_PLACE
    | _version("revision")
    | _plain(
        AttributionRecord,
        *("order_id", "customer_id", "revision", "currency", "gross_minor", "net_minor"),
        *("unattributed_minor", "model", "sold_in", "sold_unknown", "changed", "withdrawn"),
    )
    | {
        "occurred_at": _time("occurred_at"),
        "credit_contact_ids": _each("credits", Credit, "contact_id"),
        "credit_case_ids": _each("credits", Credit, "case_id"),
        "credit_classes": _each("credits", Credit, "product_class"),
        "credit_lines": _each("credits", Credit, "line"),
        "credits_minor": _each("credits", Credit, "credit_minor"),
        "credit_weights": _each("credits", Credit, "weight"),
        "classes": "arrayMap(x -> x.product_class, classes)",
        "class_gross_minor": "arrayMap(x -> x.gross_minor, classes)",
        "class_net_minor": "arrayMap(x -> x.net_minor, classes)",
        "class_lookback_ms": "arrayMap(x -> x.lookback_ms, classes)",
        "path_contact_ids": _each("path", PathContact, "contact_id"),
        "path_case_ids": _each("path", PathContact, "case_id"),
        "path_ended_at": f"arrayMap(x -> {_time('x.ended_at')}, path)",
        "path_handle_ms": _each("path", PathContact, "handle_ms"),
    },
)

_CONTACTS: Final = Target(
    table="contacts",
    columns=_PLACE
    | _version("version")
    | {"record_version": "version"}
    | {name: _time(name) for name in ("started_at", "ended_at", "matures_at")}
    | _plain(
        ContactRecord,
        *("contact_id", "customer_id", "identified", "handled", "abandoned", "outcome", "legs"),
        *("channel", "direction", "kind", "queue", "talk_ms", "hold_ms", "wrap_ms", "wait_ms"),
        *("cost_currency", "cost_minor", "fee_minor", "case_id", "team", "agent_id", "reason"),
        *("tier", "disposition_code", "withdrawn"),
    )
    | {
        "credit_currencies": _each("credits", CurrencyAmount, "currency"),
        "credits_minor": _each("credits", CurrencyAmount, "amount_minor"),
    }
    | _plain(
        ContactRecord,
        *("csat", "nps", "ces", "resolutions", "reopened", "escalated"),
        *("experiment_id", "experiment_arm"),
    )
    | {
        "resolved_at": _maybe_time("resolved_at"),
        "offer_classes": _each("offers", Offer, "product_class"),
        "offers_eligible": _each("offers", Offer, "eligible"),
        "offers_offered": _each("offers", Offer, "offered"),
        "offers_accepted": _each("offers", Offer, "accepted"),
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
    columns=_PLACE
    | _version("version")
    | {"record_version": "version", "occurred_at": _time("occurred_at")}
    | _plain(
        OrderRecord,
        *("order_id", "customer_id", "kind", "currency", "net_effect_minor", "identified"),
        *("refund_of", "linked_to", "orphan", "withdrawn"),
        *("contact_id", "agent_id", "referred_by"),
    ),
)

_COSTS: Final = Target(
    table="costs",
    columns=_PLACE
    | _version("version")
    | {"record_version": "version", "occurred_at": _time("occurred_at")}
    | {name: _maybe_time(name) for name in ("period_start", "period_end")}
    | _plain(
        CostRecord,
        *("event_id", "customer_id", "kind", "currency", "amount_minor", "agent_id", "queue"),
        *("channel", "contact_id", "withdrawn"),
    ),
)

_PERIODS: Final = Target(
    table="periods",
    columns=_PLACE
    | _version("revision")
    | _plain(PeriodRecord, "event_id", "period", "revision", "withdrawn")
    | {
        "closed_at": _time("closed_at"),
        "cut_partitions": _each("cut", CutPlace, "partition"),
        "cut_offsets": _each("cut", CutPlace, "offset"),
    },
)

_RATES: Final = Target(
    table="rates",
    columns=_PLACE
    | _version("log_offset")
    | {"day": "toInt32(day)"}
    | _plain(RateRecord, "base", "quote", "rate_e10"),
)

_BATCHES: Final = Target(
    table="batches",
    columns=_PLACE
    | _plain(
        BatchRecord,
        *("batch_id", "out_rows", "out_sum_minor", "code_version", "policy", "state_hash"),
    )
    | {name: _time(name) for name in ("event_time_max", "logged_at_max")}
    | {
        "amended_batch_ids": _each("amends", Amendment, "batch_id"),
        "amended_rows": _each("amends", Amendment, "rows"),
        "amended_minor": _each("amends", Amendment, "sum_minor"),
        "voided_offsets": "voids",
    },
)

_BATCH_SOURCES: Final = Target(
    table="batch_sources",
    unfold="sources",
    columns=_PLACE
    | {"log_position": "position - 1", "batch_id": "batch_id"}
    | {"src_topic": "e.topic", "src_partition": "e.partition"}
    | {"start_offset": "e.start", "end_offset": "e.end"}
    | {name: f"e.{name}" for name in _plain(BatchSource, "applied", "duplicate", "late", "dead")}
    | {
        "exception_dispositions": _each("e.exceptions", Exceptional, "disposition"),
        "exception_starts": _each("e.exceptions", Exceptional, "start"),
        "exception_ends": _each("e.exceptions", Exceptional, "end"),
    },
)

_DEAD_LETTERS: Final = Target(
    table="dead_letters",
    columns=_PLACE
    | {"src_topic": "topic", "src_epoch": "epoch", "src_partition": "partition"}
    | {"src_offset": "offset", "logged_at": _time("logged_at")}
    | _plain(
        DeadLetter,
        *("reason", "detail", "key_base64", "value_size", "value_sha256", "value_base64"),
        "code_version",
    ),
)


def _source(topic: str, record: type[msgspec.Struct], *targets: Target) -> Source:
    return Source(topic=topic, record=record, targets=targets, structure=structure_of(record))


SOURCES: Final = {
    source.topic: source
    for source in (
        _source(topics.LEDGER, LedgerRecord, _LEDGER),
        _source(topics.ATTRIBUTIONS, AttributionRecord, _ATTRIBUTIONS),
        _source(topics.CONTACT_FACTS, ContactRecord, _CONTACTS),
        _source(topics.ORDER_FACTS, OrderRecord, _ORDERS),
        _source(topics.COST_FACTS, CostRecord, _COSTS),
        _source(topics.PERIOD_FACTS, PeriodRecord, _PERIODS),
        _source(topics.RATES, RateRecord, _RATES),
        _source(topics.DEAD_LETTERS, DeadLetter, _DEAD_LETTERS),
        _source(topics.BATCHES, BatchRecord, _BATCHES, _BATCH_SOURCES),
    )
}
"""Every output topic, in the order the sink writes them: batch records last, so that what they
account for is there before them."""

"""From a value's bytes to its fact: types and bounds by msgspec, the other rules here.

Law: every function returns a fact that keeps the contract, or raises. Facts are made by
position, field by field: by far the quickest way, and mypy checks it.
"""

from collections.abc import Callable, Mapping
from sys import intern
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec

from streams import facts, topics, wire
from streams.currencies import EXPONENTS
from streams.facts import Fact, LocalDate, Millis
from streams.grammar import instant, moment
from streams.invalid import Refused

_Moment: TypeAlias = Millis | LocalDate | None

_CONTACT: Final = msgspec.json.Decoder(wire.Contact)
_RESOLUTION: Final = msgspec.json.Decoder(wire.Resolution)
_ORDER: Final = msgspec.json.Decoder(wire.Order)
_COST: Final = msgspec.json.Decoder(wire.Cost)
_PERIOD: Final = msgspec.json.Decoder(wire.Period)


def _contact(value: bytes) -> facts.Contact:
    w = _CONTACT.decode(value)
    try:
        started_at = instant(w.started_at)
        ended_at = instant(w.ended_at)
        connected_at = None if w.connected_at is None else instant(w.connected_at)
    except ValueError:
        raise _bad_time(w) from None
    if ended_at < started_at:
        raise Refused("end_before_start", "ended_at is before started_at")
    if connected_at is not None and not started_at <= connected_at <= ended_at:
        raise Refused("end_before_start", "connected_at is outside started_at to ended_at")
    return facts.Contact(
        w.event_id,
        w.contact_id,
        intern(w.channel),
        w.direction,
        intern(w.kind),
        intern(w.queue),
        started_at,
        ended_at,
        w.talk_ms,
        w.hold_ms,
        w.wrap_ms,
        w.wait_ms,
        w.abandoned,
        connected_at,
        _shared(w.customer_id),
        w.chain_id,
        w.case_id,
        w.transfer_of,
        _shared(w.team),
        _shared(w.agent_id),
        _shared(w.reason),
        w.tier,
        w.disposition_code,
        None if w.fee is None else _fee(w.fee),
        tuple(map(_offer, w.offers)) if w.offers else (),
        None if w.experiment is None else facts.Experiment(w.experiment.id, w.experiment.arm),
        w.revision,
        w.withdrawn,
    )


def _shared(text: str | None) -> str | None:
    """Return the one object of a text that many facts repeat: millions are kept in memory."""
    return None if text is None else intern(text)


def _fee(w: wire.Fee) -> facts.Fee:
    if w.currency is not None and w.currency not in EXPONENTS:
        raise Refused("bad_currency", "fee.currency is not a code we know")
    if w.amount_minor is None and w.tariff is None:
        raise Refused("missing_field", "a fee needs a tariff, or amount_minor with currency")
    if w.amount_minor is not None and w.currency is None:
        raise Refused("missing_field", "fee.amount_minor needs fee.currency")
    return facts.Fee(w.tariff, w.amount_minor, w.currency)


def _offer(w: wire.Offer) -> facts.Offer:
    return facts.Offer(w.product_class, w.eligible, w.offered, w.accepted)


def _bad_time(w: wire.Contact) -> Refused:
    """Find the field again: naming it in advance would cost every good record a little."""
    for field in ("started_at", "ended_at", "connected_at"):
        if (text := getattr(w, field)) is not None:
            try:
                instant(text)
            except ValueError as error:
                return Refused("bad_time", f"{field}: {error}")
    raise AssertionError("a time was refused, and now none is")


def _resolution(value: bytes) -> facts.Resolution:
    w = _RESOLUTION.decode(value)
    return facts.Resolution(
        w.event_id,
        w.case_id,
        w.outcome,
        _time(w.occurred_at, "occurred_at"),
        w.contact_id,
        w.customer_id,
        w.csat,
        w.nps,
        w.ces,
        w.revision,
        w.withdrawn,
    )


def _order(value: bytes) -> facts.Order:
    w = _ORDER.decode(value)
    if w.currency not in EXPONENTS:
        raise Refused("bad_currency", "currency is not a code we know")
    lines = tuple(map(_line, w.lines))
    if len(lines) > 1 and len({line.line_id for line in lines}) != len(lines):
        raise Refused("duplicate_line", "two lines have the same line_id")
    return facts.Order(
        w.event_id,
        w.order_id,
        w.kind,
        _time(w.occurred_at, "occurred_at"),
        w.currency,
        lines,
        w.customer_id,
        w.refund_of,
        w.contact_id,
        w.agent_id,
        w.referred_by,
        w.revision,
        w.withdrawn,
    )


def _line(w: wire.OrderLine) -> facts.OrderLine:
    start: _Moment = None
    end: _Moment = None
    if w.term_start is not None or w.term_end is not None:
        start = _moment(w.term_start, "lines[].term_start")
        end = _moment(w.term_end, "lines[].term_end")
        if start == end or _ends_before(start, end):
            raise Refused("end_before_start", "lines[].term_end is not after term_start")
    return facts.OrderLine(
        w.line_id, w.product_class, w.amount_minor, w.sku, w.cost_minor, start, end
    )


def _cost(value: bytes) -> facts.Cost:
    w = _COST.decode(value)
    if w.currency not in EXPONENTS:
        raise Refused("bad_currency", "currency is not a code we know")
    start = _moment(w.period_start, "period_start")
    end = _moment(w.period_end, "period_end")
    if _ends_before(start, end):
        raise Refused("end_before_start", "period_end is before period_start")
    return facts.Cost(
        w.event_id,
        w.kind,
        _time(w.occurred_at, "occurred_at"),
        w.amount_minor,
        w.currency,
        w.customer_id,
        w.contact_id,
        w.agent_id,
        w.queue,
        w.channel,
        start,
        end,
        w.revision,
        w.withdrawn,
    )


def _period(value: bytes) -> facts.Period:
    w = _PERIOD.decode(value)
    if len({place.partition for place in w.cut}) != len(w.cut):
        raise Refused("duplicate_line", "two places of cut are of one partition")
    return facts.Period(
        event_id=w.event_id,
        period=w.period,
        kind=w.kind,
        occurred_at=_time(w.occurred_at, "occurred_at"),
        lines=tuple(map(_period_line, w.lines)),
        cut=tuple([facts.CutPlace(partition=x.partition, offset=x.offset) for x in w.cut]),
        revision=w.revision,
        withdrawn=w.withdrawn,
    )


def _period_line(w: wire.PeriodLine) -> facts.PeriodLine:
    if w.currency not in EXPONENTS:
        raise Refused("bad_currency", "lines[].currency is not a code we know")
    at = _time(w.effective_at, "lines[].effective_at")
    return facts.PeriodLine(**(msgspec.structs.asdict(w) | {"effective_at": at}))


def _time(text: str, field: str) -> Millis:
    try:
        return instant(text)
    except ValueError as error:
        raise Refused("bad_time", f"{field}: {error}") from None


def _moment(text: str | None, field: str) -> _Moment:
    try:
        return None if text is None else moment(text)
    except ValueError as error:
        raise Refused("bad_time", f"{field}: {error}") from None


def _ends_before(start: _Moment, end: _Moment) -> bool:
    """Compare two times or two dates; a time and a date cannot be, without the zone."""
    if isinstance(start, int):
        return isinstance(end, int) and end < start
    return isinstance(start, str) and isinstance(end, str) and end < start


READERS: Final[Mapping[str, Callable[[bytes], Fact]]] = MappingProxyType(
    {
        topics.CONTACTS: _contact,
        topics.RESOLUTIONS: _resolution,
        topics.ORDERS: _order,
        topics.COSTS: _cost,
        topics.PERIODS: _period,
    }
)
"""Topic -> what reads its values. They raise Refused, msgspec's errors, RecursionError."""

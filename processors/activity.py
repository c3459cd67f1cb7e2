"""What a batch changes of each minute and segment, as differences to what was counted before.

Law: the sum of all cells ever given out is what counting from scratch gives, whatever the order of
the facts, however often they came, were revised or withdrawn: what a chain was counted as lies in
its item, so it is taken back exactly, under the minute and segment it was counted under. What was
booked needs no memory: entries are differences already.

An item of a former version was counted as nothing: once a fact touches its chain again, the chain
is counted whole.
"""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from processors.customer import Customer
from processors.items import Counted, LegItem
from processors.results import NET, ORPHAN, UNATTRIBUTED, ContactRecord, Entry
from processors.signal_records import ActivityCell, Sums
from streams.facts import Millis

MINUTE_MS: Final = 60_000
CSAT_GOOD_MIN: Final = 4
CSAT_BAD_MAX: Final = 2
CSAT_MAX: Final = 5
"""Of five; what lies above is of another scale, and neither good nor bad (KPI-CSAT)."""

_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(Sums))
_AT: Final[Mapping[str, int]] = {name: place for place, name in enumerate(_FIELDS)}
_WAIT: Final = _AT["wait_ms"]
_WAITED: Final = _AT["waited"]
_HANDLE: Final = _AT["handle_ms"]
_OFFERS: Final = _AT["offers_missed"]
_CREDIT: Final = _AT["credit_minor"]
_CREDIT2: Final = _AT["credit_minor2"]
_COST: Final = _AT["cost_minor"]
_BOOKED: Final = _AT["booked_minor"]
_REFUND: Final = _AT["refund_minor"]
_NET: Final = _AT["net_minor"]
_UNATTRIBUTED: Final = _AT["unattributed_minor"]
_ZERO: Final = [0] * len(_FIELDS)

_HANDLED: Final = 1
_ABANDONED: Final = 2
_RESOLVED: Final = 4
_UNRESOLVED: Final = 8
_REOPENED: Final = 16
_GOOD: Final = 32
_BAD: Final = 64
_AT_RISK: Final = 128
_HIGH: Final = 256
_FLAGS: Final = (
    (_HANDLED, _AT["handled"]),
    (_ABANDONED, _AT["abandoned"]),
    (_RESOLVED, _AT["resolved"]),
    (_UNRESOLVED, _AT["unresolved"]),
    (_REOPENED, _AT["reopened"]),
    (_GOOD, _AT["csat_good"]),
    (_BAD, _AT["csat_bad"]),
    (_AT_RISK, _AT["in_contact"]),
    (_HIGH, _AT["high_risk"]),
)
_PLACES: Final = tuple(
    tuple(place for flag, place in _FLAGS if flags & flag) for flags in range(2 * _HIGH)
)
"""From flags to the places of the counts they stand for."""


class Recounted(NamedTuple):
    """A chain that is counted as something else now; None: not at all."""

    was: Counted | None
    now: Counted | None


def counted_of(record: ContactRecord, was: Counted | None, known_high: int) -> Counted | None:
    """Return what a chain's record counts as. Whether its customer was at risk is kept."""
    if record.withdrawn:
        return None
    flags = 0
    handle_ms = 0
    if record.handled:
        if was is not None and was.flags & _HANDLED:
            known_high = was.flags & (_AT_RISK | _HIGH)
        flags = _HANDLED | known_high
        handle_ms = record.talk_ms + record.hold_ms + record.wrap_ms
    elif record.abandoned:
        flags = _ABANDONED
    if record.outcome == "resolved":
        flags |= _RESOLVED
    elif record.outcome == "unresolved":
        flags |= _UNRESOLVED
    if record.reopened:
        flags |= _REOPENED
    flags |= _opinion(record.csat)
    missed = 0
    for offer in record.offers:
        if offer.eligible and not offer.offered:
            missed += 1
    at = record.ended_at
    return Counted(
        at - at % MINUTE_MS,
        record.queue,
        record.channel,
        record.team,
        record.cost_currency,
        flags,
        record.wait_ms,
        handle_ms,
        missed,
        record.cost_minor,
        tuple([(each.currency, each.amount_minor) for each in record.credits])
        if record.credits
        else (),
    )


def _opinion(csat: int | None) -> int:
    """Return the flag of what a customer answered; none for what is of another scale."""
    if csat is None or csat > CSAT_MAX:
        return 0
    return _GOOD if csat >= CSAT_GOOD_MIN else _BAD if csat <= CSAT_BAD_MAX else 0


def recount(
    customer: Customer, records: Iterable[ContactRecord], high: bool | None
) -> tuple[Recounted, ...]:
    """Return what chains are counted as now, and note it in their items, which are to be written.

    `high`: whether the customer is of high risk, None where no risk of him is known.
    """
    known_high = 0 if high is None else _AT_RISK | _HIGH if high else _AT_RISK
    found: list[Recounted] = []
    for record in records:
        item: LegItem | None = customer.legs.get(record.contact_id)
        was = None if item is None else item.counted
        now = counted_of(record, was, known_high)
        if now != was:
            if item is not None:
                item.counted = now
            found.append(Recounted(was, now))
    return tuple(found)


_Key = tuple[Millis, str, str, str, str]


class Cells:
    """The sums of a batch's differences, by minute and segment."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[_Key, list[int]] = {}

    def move(self, recounted: Iterable[Recounted]) -> None:
        """Take chains back as what they were counted as, and count them as what they are."""
        for was, now in recounted:
            if was is not None:
                self._count(was, -1)
            if now is not None:
                self._count(now, 1)

    def _at(self, key: _Key) -> list[int]:
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = _ZERO.copy()
        return sums

    def _count(self, chain: Counted, sign: int) -> None:
        wait_ms = chain.wait_ms
        where = (chain.minute, chain.queue, chain.channel, chain.team)
        sums = self._at((*where, chain.currency))
        sums[0] += sign  # chains
        for place in _PLACES[chain.flags]:
            sums[place] += sign
        if wait_ms:
            sums[_WAITED] += sign
            sums[_WAIT] += sign * wait_ms
        sums[_HANDLE] += sign * chain.handle_ms
        if chain.offers_missed:
            sums[_OFFERS] += sign * chain.offers_missed
        sums[_COST] += sign * chain.cost_minor
        for currency, minor in chain.credits:
            earned = self._at((*where, currency))
            earned[_CREDIT] += sign * minor
            earned[_CREDIT2] += sign * minor * minor

    def book(self, entries: Iterable[Entry]) -> None:
        """Add what entries of orders book, at the minute they are effective."""
        for entry in entries:
            if not entry.order_id:
                continue
            line, minor = entry.line, entry.amount_minor
            if line == NET:
                place, minor = _NET, -minor
            elif line in (UNATTRIBUTED, ORPHAN):
                place = _UNATTRIBUTED
            elif line[0] == "A":
                place = _BOOKED
            else:
                continue  # cost of goods, and adjustments, which are in net alone
            at = entry.effective_at
            key = (at - at % MINUTE_MS, entry.queue, entry.channel, entry.team, entry.currency)
            sums = self._at(key)
            sums[place] += minor
            if line == "A5":
                sums[_REFUND] += minor

    def cells(self) -> tuple[ActivityCell, ...]:
        """Return the cells that are not all zero, in order of minute and segment."""
        found = []
        for key, sums in sorted(self._sums.items(), key=itemgetter(0)):
            if sums == _ZERO:
                continue
            values: list[int | str] = list(sums)
            values[_CREDIT2] = str(sums[_CREDIT2])
            minute, queue, channel, team, currency = key
            found.append(
                ActivityCell(
                    *values,  # type: ignore[arg-type]
                    minute=minute,
                    queue=queue,
                    channel=channel,
                    team=team,
                    currency=currency,
                )
            )
        return tuple(found)

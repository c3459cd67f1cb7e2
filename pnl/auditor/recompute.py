"""Works some customers out anew from their facts and compares that with what is booked.

Law: the facts come from the input topics, read here; they are sorted by event time and applied
once each to a customer that starts from nothing. What the ledger sums to for each account of that
customer must come out. So whatever the order of arrival, a lost update of the state, a batch done
twice or an entry of another customer did to the books is found; a rule that is wrong is not,
since the rules are the same (`tests/oracle` is the second implementation of those).

A customer is judged only if all of its history is still there, and if all of it is booked by our
rules or by such as these took the place of: then what is booked is what ours would book.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, TypeAlias
from zlib import crc32

from pnl.auditor.findings import Found
from pnl.auditor.partition import decode_batch, decode_ledger
from processors.customer import Customer
from processors.items import ItemKey, key_of_item
from processors.journeys import Journeys
from processors.policy import Policies
from processors.results import Entry
from streams.codec import decode
from streams.facts import Fact, event_time_of
from streams.invalid import Invalid
from streams.log import EventLog, Record
from streams.topics import BATCHES, INPUT_NAMES, LEDGER

CUSTOMERS_MAX: Final = 2_000
"""How many customers of a partition are held in memory at once."""
SHARE_PPM: Final = 10_000
"""1 % of the customers; other ones every night."""
_READ: Final = 1_000
_SHOWN: Final = 3
_ACCOUNT: Final = (
    *("line", "currency", "effective_at", "order_id", "contact_id", "leg_id", "case_id"),
    *("product_class", "queue", "team", "agent_id", "channel", "reason", "kind", "tariff"),
)
_account_of: Final = attrgetter(*_ACCOUNT)

Account: TypeAlias = tuple[Any, ...]


@dataclass(slots=True)
class _Known:
    """What was read of a customer. `whole`: nothing speaks against it being all."""

    facts: dict[tuple[str, int], Fact] = field(default_factory=dict)
    booked: Counter[Account] = field(default_factory=Counter)
    whole: bool = True


class Recomputation:
    """One partition's chosen customers at a cut: `ends` of the inputs, `entries_end` of the ledger.

    Everything before the cut is committed and adds up. `chosen` says which customers, by key.
    """

    def __init__(
        self,
        log: EventLog,
        policy: Policies,
        partition: int,
        ends: Mapping[str, int],
        entries_end: int,
        chosen: Callable[[bytes], bool],
    ) -> None:
        self._log = log
        self._policy = policy
        self._partition = partition
        self._ends = dict(ends)
        self._entries_end = entries_end
        self._chosen = chosen
        self._known: dict[str, _Known] = {}
        self._places: dict[tuple[str, int], str] = {}
        self._is_full = False
        self._versions: tuple[str, ...] = ()
        self.judged = self.unjudged = 0
        self.found: list[Found] = []

    def slices(self) -> Iterator[int]:
        """Do it a slice at a time; yields how many records each read, raises StopIteration done."""
        starts = {
            topic: self._log.start_offsets(topic).get(self._partition, 0) for topic in INPUT_NAMES
        }
        for topic, end in self._ends.items():
            for records in self._read(topic, starts[topic], end):
                self._take_facts(records)
                yield len(records)
        for records in self._read(BATCHES, 0, None):
            self._leave_dead(records)
            yield len(records)
        for records in self._read(LEDGER, 0, self._entries_end):
            self._take_entries(records, starts)
            yield len(records)
        is_trimmed = any(starts.values())
        for key, known in self._known.items():
            self._judge(key, known, is_trimmed=is_trimmed)
            yield len(known.facts)

    def _read(self, topic: str, start: int, end: int | None) -> Iterator[list[Record]]:
        at = start
        while end is None or at < end:
            records = self._log.read(topic, self._partition, at, _READ)
            if not records:
                return
            at = records[-1].offset + 1
            if end is not None:
                records = [record for record in records if record.offset < end]
            yield records

    def _take_facts(self, records: list[Record]) -> None:
        for record in records:
            if record.key is None or not self._chosen(record.key):
                continue
            fact = decode(record.topic, record.key, record.value, record.logged_at)
            if isinstance(fact, Invalid):
                continue
            key = record.key.decode()
            known = self._customer(key)
            if known is not None:
                known.facts[record.topic, record.offset] = fact
                self._places[record.topic, record.offset] = key

    def _customer(self, key: str) -> _Known | None:
        """Return what is known of a customer; None once as many are held as there may be."""
        known = self._known.get(key)
        if known is None and not self._is_full:
            known = self._known[key] = _Known()
            self._is_full = len(self._known) >= CUSTOMERS_MAX
        return known

    def _leave_dead(self, records: list[Record]) -> None:
        """Leave out the facts that ended as dead letters: they contradicted one before."""
        for record in records:
            if record.value is None:
                continue
            batch = decode_batch(record.value)
            self._versions = batch.accepted or self._versions
            for source in batch.sources:
                for exception in source.exceptions:
                    if exception.disposition == "dead":
                        for offset in range(exception.start, exception.end):
                            place = source.topic, offset
                            if place in self._places:
                                self._known[self._places[place]].facts.pop(place, None)

    def _take_entries(self, records: list[Record], starts: Mapping[str, int]) -> None:
        for record in records:
            if record.value is None or record.key is None or not self._chosen(record.key):
                continue
            ledger = decode_ledger(record.value)
            cause = ledger.cause
            is_restated = cause.fact == "configuration"
            if not is_restated and cause.offset >= self._ends.get(cause.topic, 0):
                continue
            known = self._known.get(ledger.customer_id)
            if known is None and not any(starts.values()):
                known = self._customer(ledger.customer_id)  # booked, and nobody said a word of it
            if known is None:
                continue
            is_trimmed = not is_restated and cause.offset < starts.get(cause.topic, 0)
            if is_trimmed or not self._is_ours(ledger.policy):
                known.whole = False
            add(known.booked, ledger.entries)

    def _is_ours(self, version: str) -> bool:
        """Say whether what was booked by these rules is what ours would book."""
        ours = self._policy.version
        return version == ours or (self._versions[-1:] == (ours,) and version in self._versions)

    def _judge(self, key: str, known: _Known, *, is_trimmed: bool) -> None:
        newest = newest_of(known.facts)
        times = [event_time_of(fact) for fact in known.facts.values()]
        if (
            not known.whole
            or (times and max(times) - min(times) > self._policy.horizon_ms)
            or (is_trimmed and _names_unknown(known.booked, newest))
        ):
            self.unjudged += 1
            return
        self.judged += 1
        due = books_of(key, newest.values(), self._policy)
        differing = [
            (account, due[account], known.booked[account])
            for account in due.keys() | known.booked.keys()
            if due[account] != known.booked[account]
        ]
        if differing:
            shown = "; ".join(
                f"{account[0]} order {account[3] or '-'} contact {account[4] or '-'}:"
                f" booked {booked}, due {now_due}"
                for account, now_due, booked in sorted(differing, key=repr)[:_SHOWN]
            )
            more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
            self.found.append(
                Found("A4", f"customer {key}, partition {self._partition}", shown + more)
            )


def chosen_on(day: int, share_ppm: int = SHARE_PPM) -> Callable[[bytes], bool]:
    """Return which customers are worked out anew on a day, counted from 1970: others each day."""
    salt = day.to_bytes(8, "big")
    return lambda key: crc32(key, crc32(salt)) % 1_000_000 < share_ppm


def newest_of(facts: Mapping[tuple[str, int], Fact]) -> dict[ItemKey, Fact]:
    """Return the fact of the highest revision of each identity; of equal ones the first."""
    newest: dict[ItemKey, Fact] = {}
    for _, fact in sorted(facts.items(), key=lambda item: item[0]):
        key = key_of_item(fact)
        if key not in newest or fact.revision > newest[key].revision:
            newest[key] = fact
    return newest


def books_of(key: str, facts: Iterable[Fact], policy: Policies) -> Counter[Account]:
    """Return what a customer's facts come to, by account, applied in order of event time."""
    customer, journeys = Customer(key), Journeys(policy)
    due: Counter[Account] = Counter()
    for fact in sorted(facts, key=lambda fact: (event_time_of(fact), key_of_item(fact))):
        add(due, journeys.apply(customer, fact).entries)
    return due


def add(sums: Counter[Account], entries: Iterable[Entry]) -> None:
    """Add entries to the sums of their accounts."""
    for entry in entries:
        sums[_account_of(entry)] += entry.amount_minor


def _names_unknown(booked: Counter[Account], facts: Mapping[ItemKey, Fact]) -> bool:
    """Say whether the books name a contact or an order that is not among the facts."""
    at_order, at_contact = _ACCOUNT.index("order_id"), _ACCOUNT.index("contact_id")
    return any(
        (account[at_order] and ("o", account[at_order]) not in facts)
        or (account[at_contact] and ("c", account[at_contact]) not in facts)
        for account in booked
    )

"""Restating a log: refused where it must be, the same however often it is killed, exact."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random

import msgspec
import pytest

from pnl.auditor.whole import audit_whole
from pnl.engine import GROUP, JourneysWorker
from pnl.errors import UserError
from pnl.restating.accepted import ConfigurationRefused, booked_until, read_accepted
from pnl.restating.restate import Restatement, restate
from processors import policy
from processors.policy import BEGINNING, DAY_MS, DatedPolicy, Policies, Policy, PolicyBook, book_of
from processors.results import BatchRecord, LedgerRecord
from streams import codec
from streams.clock import ManualClock
from streams.facts import Fact, Period
from streams.failpoints import VARIABLE, FailpointReached
from streams.invalid import Invalid
from streams.log import EventLog, Outgoing
from streams.memory_log import MemoryLog, MemoryPlace
from streams.topics import BATCHES, INPUT_NAMES, LEDGER
from tests.oracle import settle
from tests.oracle.books import Books
from tests.properties.histories import History, history_by
from tests.support.drive import account_of, days_of
from tests.support.facts import BASE, at, contact

FROM = at(4)
OLD = book_of(Policy())
NEW = book_of(Policy(), [DatedPolicy(FROM, Policy(loaded_per_hour_minor=6000, model="linear"))])
TOPIC = {"Contact": "contacts", "Order": "orders", "Resolution": "resolutions", "Cost": "costs"}
NO_WAIT = timedelta(0)
CLOCK = ManualClock(at(100))


def many(seed: int = 5, customers: int = 12) -> History:
    """Return the histories of some customers, without what no log would take."""
    random = Random(seed)
    found: History = []
    for number in range(customers):
        of_one = history_by(random.choice, keys=("k",))
        of_people = [fact for _, fact in of_one if not isinstance(fact, Period)]
        found += [(f"k{number}", keyed(fact, f"k{number}")) for fact in of_people]
    return [each for each in found if is_taken(*each)]


def is_taken(key: str, fact: Fact) -> bool:
    """Say whether a fact is one that the contract allows."""
    topic, value = TOPIC[type(fact).__name__], codec.encode(fact)
    return not isinstance(codec.decode(topic, key.encode(), value, CLOCK.now_ms()), Invalid)


def keyed(fact: Fact, key: str) -> Fact:
    """Return a fact as another customer's."""
    return msgspec.structs.replace(fact, customer_id=key)


def book(log: EventLog, history: History, rules: Policies) -> None:
    """Append facts and have them booked."""
    for key, fact in history:
        log.append(TOPIC[type(fact).__name__], [Outgoing(key.encode(), codec.encode(fact))])
    worker = JourneysWorker(log, rules, code_version="test")
    while worker.step(NO_WAIT):
        pass
    worker.close()


@pytest.fixture
def log() -> EventLog:
    """Return a log of two partitions, booked by the old rules."""
    found = MemoryLog(MemoryPlace(CLOCK, 2))
    book(found, many(), OLD)
    return found


def again(log: EventLog, rules: PolicyBook = NEW, since: int = FROM, **how: bool) -> Restatement:
    """Restate, three customers a transaction."""
    accept = how.get("accept", True)
    return restate(
        log, rules, CLOCK, since=since, accept=accept, code_version="test", customers_max=3
    )


def values(log: EventLog, topic: str) -> Iterator[bytes]:
    """Yield all values of a topic."""
    for partition in range(log.partitions):
        for record in log.read(topic, partition, 0, 100_000):
            yield record.value or b""


def ledger_of(log: EventLog) -> list[LedgerRecord]:
    """Return every ledger record."""
    return [msgspec.json.decode(value, type=LedgerRecord) for value in values(log, LEDGER)]


def books_of(log: EventLog) -> Books:
    """Return what the ledger sums to."""
    books = Books()
    for record in ledger_of(log):
        for entry in record.entries:
            books.book(account_of(record.customer_id, entry), entry.amount_minor, days_of(entry))
    return books.closed()


def assert_due(log: EventLog, rules: Policies, history: History) -> None:
    """Hold the ledger against the oracle, and the log against every law of the auditor."""
    due = settle(history, rules)
    found = books_of(log)
    assert found.balance == due.balance
    assert found.daily == due.daily
    audited = audit_whole(log, rules, CLOCK, 1_000_000, resting=True)
    assert (audited.of_log, audited.of_customers) == ([], [])
    assert audited.customers > 0
    assert audited.customers_not_judged == 0


def test_what_is_shown_is_what_is_written_and_what_is_due(log: EventLog) -> None:
    """Dry run, accepted figures and the ledger's difference agree; then all is as recomputed."""
    before, records = books_of(log), len(ledger_of(log))
    shown = again(log, accept=False)
    assert len(ledger_of(log)) == records
    done = again(log)
    assert (shown.written, done.written) == (False, True)
    assert shown.figures.sums == done.figures.sums != {}
    after = books_of(log)
    for line in ("C1", "A1b", "B", "unattributed"):
        difference = after.total(line, currency="GBP") - before.total(line, currency="GBP")
        assert done.figures.difference_minor(line, "GBP") == difference
    assert_due(log, NEW, many())


def test_entries_of_a_restatement_name_the_rules_and_no_date_before(log: EventLog) -> None:
    """cause.fact is `configuration`, its id the new version; nothing before the date is touched."""
    again(log)
    written = [each for each in ledger_of(log) if each.cause.fact == "configuration"]
    assert written
    assert {(each.cause.id, each.policy) for each in written} == {(NEW.version, NEW.version)}
    assert min(entry.effective_at for each in written for entry in each.entries) >= FROM
    changes = Counter(entry.change for each in written for entry in each.entries)
    assert changes["reversal"]
    assert changes["addition"]


def test_a_second_restatement_finds_nothing(log: EventLog) -> None:
    """And writes nothing: no entries, no batch record."""
    again(log)
    batches = len(list(values(log, BATCHES)))
    second = again(log)
    assert (second.figures.sums, second.transactions) == ({}, 0)
    assert len(list(values(log, BATCHES))) == batches


def test_the_books_go_on_by_the_new_rules(log: EventLog) -> None:
    """Facts that come afterwards, late ones too, are booked as if the rules had always been so."""
    again(log)
    more = many(seed=6)
    fresh = [each for each in more if place_of(each) not in set(map(place_of, many()))]
    book(log, fresh, NEW)
    assert_due(log, NEW, [*many(), *fresh])


def place_of(keyed_fact: tuple[str, Fact]) -> tuple[str, str, str]:
    """Return whose fact it is, and which."""
    key, fact = keyed_fact
    name = getattr(fact, "contact_id" if "Contact" in str(type(fact)) else "event_id")
    return key, type(fact).__name__, getattr(fact, "order_id", name)


@pytest.mark.parametrize("step", ["X1", "X2"])
def test_killed_anywhere_and_run_again_it_comes_to_the_same(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each commit and after each: nobody goes on in between, and nothing is done twice."""
    nth = 0
    while True:
        nth += 1
        log = MemoryLog(MemoryPlace(CLOCK, 2))
        book(log, many(), OLD)
        monkeypatch.setenv(VARIABLE, f"{step}:{nth}:raise")
        try:
            again(log)
        except FailpointReached:
            pass
        else:
            break
        monkeypatch.setenv(VARIABLE, "")
        if is_half_done(log):
            for rules in (OLD, NEW):
                assert_refused(log, rules)
        again(log)
        assert_due(log, NEW, many())
    assert nth > 3


def is_half_done(log: EventLog) -> bool:
    """Say whether some of the books are by the new rules, and not all."""
    consumer = log.consumer(GROUP, INPUT_NAMES)
    found = [read_accepted(consumer.state, partition) for partition in range(log.partitions)]
    consumer.close()
    done = [each.restating is None and each.book == NEW for each in found]
    return not all(done) and (any(done) or any(each.restating for each in found))


def assert_refused(log: EventLog, rules: Policies) -> None:
    """Let journeys of some rules come, which may not book a single fact more."""
    more: History = [(f"k{n}", contact(f"more{n}", at(50), customer_id=f"k{n}")) for n in range(12)]
    entries = len(ledger_of(log))
    with pytest.raises(ConfigurationRefused, match="pnl restate --from"):
        book(log, more, rules)
    assert len(ledger_of(log)) == entries


def test_half_a_restatement_can_be_taken_back(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old rules are restated to from the date at which the new ones had begun."""
    monkeypatch.setenv(VARIABLE, "X2:2:raise")
    with pytest.raises(FailpointReached):
        again(log)
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(UserError, match="or earlier"):
        again(log, OLD, FROM + DAY_MS)
    again(log, OLD)
    assert_due(log, OLD, many())


def test_a_date_that_leaves_a_difference_out_is_refused(log: EventLog) -> None:
    """The rules differ from an earlier date on: the sentence names it, and the key."""
    with pytest.raises(UserError, match=r"--from 2024-03-05.*loaded_per_hour_minor \(3000, now"):
        again(log, NEW, FROM + DAY_MS, accept=False)


def test_an_earlier_date_than_the_first_difference_is_harmless(log: EventLog) -> None:
    """Nothing differs between the two."""
    again(log, NEW, BEGINNING)
    assert_due(log, NEW, many())


def test_a_change_after_all_that_is_booked_is_accepted_by_itself(log: EventLog) -> None:
    """The next batch takes it over, tells it, and later facts are booked by it."""
    later = book_of(Policy(), [DatedPolicy(at(40), NEW.newest)])
    more: History = [("k1", contact("later", at(41), customer_id="k1"))]
    book(log, more, later)
    assert {each.policy for each in ledger_of(log)} == {OLD.version, later.version}
    told = [msgspec.json.decode(value, type=BatchRecord).accepted for value in values(log, BATCHES)]
    assert Counter(told)[OLD.version, later.version] == 1
    assert books_of(log).total("C1", contact_id="later") == -500


def test_a_restatement_takes_partitions_over_in_which_nothing_is_booked() -> None:
    """Each partition has its rules; one without any takes the new ones."""
    log = MemoryLog(MemoryPlace(CLOCK, 3))
    book(log, many(customers=1), OLD)
    again(log)
    consumer = log.consumer(GROUP, INPUT_NAMES)
    for partition in range(3):
        accepted = read_accepted(consumer.state, partition)
        assert accepted.book == NEW
        if booked_until(consumer.state, partition) is not None:
            assert accepted.versions == (OLD.version, NEW.version)


def test_rules_that_book_nothing_do_not_matter(log: EventLog) -> None:
    """What a new customer costs stands beside a loss, and in no entry."""
    beside = book_of(replace(Policy(), acquisition_cost_minor=5000))
    more: History = [(f"k{n}", contact("x", at(20), customer_id=f"k{n}")) for n in range(12)]
    book(log, more, beside)
    assert {each.policy for each in ledger_of(log)} == {OLD.version}


def test_a_program_with_rules_of_its_own_goes_on_and_judges_nobody_by_them(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings are equal: nothing is refused, and no customer is taken for wrong."""
    monkeypatch.setattr(policy, "OUR_RULES", 99)
    later = book_of(Policy())
    assert later.version != OLD.version
    more: History = [(f"k{n}", contact("x", at(20), customer_id=f"k{n}")) for n in range(12)]
    book(log, more, later)
    audited = audit_whole(log, later, CLOCK, 1_000_000, resting=True)
    assert (audited.of_customers, audited.customers_not_judged > 5) == ([], True)


def without_rules(log: EventLog) -> None:
    """Take from the state what says by which rules it was made: as an older program left it."""
    consumer = log.consumer(GROUP, INPUT_NAMES)
    with consumer.transaction() as transaction:
        for partition in range(log.partitions):
            rows = consumer.state.load(partition, b"\0configuration\0")
            transaction.put_state(partition, [(key, None) for key, _ in rows])
    consumer.close()


def test_books_of_an_older_program_take_the_rules_they_are_first_started_with(
    log: EventLog,
) -> None:
    """They say nothing; from then on they do."""
    without_rules(log)
    book(log, [(f"k{n}", contact("x", at(20), customer_id=f"k{n}")) for n in range(12)], NEW)
    assert_refused(log, OLD)


def test_books_of_an_older_program_are_restated_from_the_first_date_that_differs(
    log: EventLog,
) -> None:
    """Nobody knows by which rules they were made: what would change before the date is told."""
    without_rules(log)
    with pytest.raises(UserError, match="rules that nobody noted"):
        again(log, NEW, BASE + 30 * DAY_MS)
    again(log, NEW)
    found = books_of(log)
    due = settle(many(), NEW)
    assert found.balance == due.balance

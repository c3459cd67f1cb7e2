"""The invariants of the definitions as properties: what holds of every history, each by its id."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from fractions import Fraction
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.laws import standing_breaches
from processors.policy import MODELS, Model, Policy
from processors.results import Entry
from streams.facts import Contact, Fact, Order
from tests.oracle import Account, settle
from tests.oracle.chains import CENTRE_CLASSES
from tests.oracle.exact import weights
from tests.properties.histories import (
    CALLS,
    REFUNDS,
    History,
    histories,
    history_by,
    policies,
    policy_by,
    shuffled_by,
)
from tests.support.drive import account_of, run
from tests.support.facts import BASE, DAY, contact, order, refund

NOT_OF_AN_ORDER = {"B"}
SEEDS = 3 * settings.default.max_examples


def random_history(seed: int) -> tuple[Random, Policy, History]:
    """Return a seeded history, its rules, and the generator to go on with."""
    random = Random(seed)
    return random, policy_by(random.choice), history_by(random.choice)


def test_i1_after_every_fact_an_orders_entries_sum_to_zero() -> None:
    """I1: credits + unattributed = net, per order and currency, at every step of any history."""
    for seed in range(SEEDS):
        _, policy, history = random_history(seed)
        sums: dict[tuple[str, str], int] = defaultdict(int)
        driven = run(history, policy)
        for (key, _), entries in zip(history, driven.steps, strict=True):
            for entry in entries:
                if entry.order_id and entry.line not in NOT_OF_AN_ORDER:
                    sums[key, entry.order_id] += entry.amount_minor
            assert not any(sums.values()), (seed, sums)


def test_i1_what_a_term_earns_and_defers_is_what_was_not_refunded_of_it() -> None:
    """I1 for terms: over all days a spread line earns its net, less what came back as A5."""
    for seed in range(SEEDS):
        random = Random(seed)
        policy = policy_by(random.choice)
        books = run(history_by(random.choice, REFUNDS, ("k",)), policy).books
        for (key, order_id), book in books.orders.items():
            centre = sum(amount for (name, _), amount in book.credits.items() if name is None)
            held = sum(
                amount
                for account, amount in books.balance.items()
                if (account.key, account.order_id) == (key, order_id)
                and account.line in ("A2a", "A2b", "A3", "A5")
                and account.product_class in CENTRE_CLASSES
            )
            assert held == centre, (seed, order_id)


@given(history=histories(REFUNDS), policy=policies())
def test_i2_without_contacts_all_is_unattributed_but_the_centres_part(
    history: History, policy: Policy
) -> None:
    """I2: zero touchpoints, and product and upgrade lines are earned by nobody."""
    alone = [(key, fact) for key, fact in history if not isinstance(fact, Contact)]
    for book in run(alone, policy).books.orders.values():
        assert all(contact_id is None for contact_id, _ in book.credits)
        assert book.unattributed + sum(book.credits.values()) == book.net


def test_i3_orders_orphans_and_adjustments_are_net_revenue() -> None:
    """I3: per currency, what attribution wrote is what the order facts alone come to."""
    for seed in range(SEEDS):
        _, policy, history = random_history(seed)
        driven = run(history, policy)
        attributed: dict[str, int] = defaultdict(int)
        for book in driven.books.orders.values():
            attributed[book.currency] += book.unattributed + sum(book.credits.values())
        for account, amount in driven.books.balance.items():
            if account.line in ("A5x", "adjustment"):
                attributed[account.currency] += amount
        accepted: dict[str, int] = defaultdict(int)
        for record in driven.orders.values():
            assert record.net_effect_minor == 0 or not record.withdrawn
            accepted[record.currency] += record.net_effect_minor
        booked: dict[str, int] = defaultdict(int)
        for currency, amount in driven.books.of_lines("net", "currency").items():
            booked[str(currency)] -= amount
        for currency in attributed.keys() | accepted.keys() | booked.keys():
            assert attributed[currency] == accepted[currency] == booked[currency], (seed, currency)


def test_i4_a_fact_sent_again_books_nothing() -> None:
    """I4: at once or after everything else, it is a duplicate without a trace."""
    for seed in range(SEEDS):
        _, policy, history = random_history(seed)
        once = run(history, policy)
        twice = run([*(fact for fact in history for _ in (1, 2)), *history], policy)
        assert twice.dispositions.count("applied") == once.dispositions.count("applied")
        assert set(twice.dispositions) <= {"applied", "duplicate"}
        for disposition, entries in zip(twice.dispositions, twice.steps, strict=True):
            assert disposition == "applied" or entries == (), seed


def test_i4_what_is_published_does_not_depend_on_the_order_of_arrival() -> None:
    """I4: the last record of each order, refund and contact, counters apart, is the same."""
    for seed in range(SEEDS):
        random, policy, history = random_history(seed)
        one, other = run(history, policy), run(shuffled_by(random, history), policy)
        assert uncounted(one.attributions) == uncounted(other.attributions), seed
        assert uncounted(one.orders) == uncounted(other.orders), seed
        assert uncounted(one.contacts) == uncounted(other.contacts), seed
        assert uncounted(one.costs) == uncounted(other.costs), seed
        assert uncounted(one.periods) == uncounted(other.periods), seed


def uncounted(records: Mapping[tuple[str, str], msgspec.Struct]) -> dict[tuple[str, str], object]:
    """Return records without what counts them, and without those of what is no more."""
    plain: dict[tuple[str, str], object] = {}
    for place, record in records.items():
        fields = msgspec.structs.asdict(record)
        if not fields.pop("withdrawn"):
            for counter in ("version", "revision", "changed"):
                fields.pop(counter, None)
            plain[place] = fields
    return plain


def test_i4_what_is_booked_is_what_is_due() -> None:
    """I4: working everything out again at the end finds nothing more to book."""
    for seed in range(SEEDS):
        _, policy, history = random_history(seed)
        for customer in run(history, policy).customers.values():
            assert standing_breaches(customer, policy) == [], seed


@given(history=histories((*CALLS, *REFUNDS)), policy=policies())
def test_i5_an_order_taken_back_whole_leaves_no_credit(history: History, policy: Policy) -> None:
    """I5: after a cancellation before any term began, no credit is left and nobody owes any."""
    untimed = [(key, without_term(fact)) for key, fact in history]
    sold = {
        (key, fact.order_id)
        for key, fact in untimed
        if isinstance(fact, Order) and fact.kind == "sale"
    }
    last = BASE + 40 * DAY
    cancellations: History = [
        (key, refund(f"z-{order_id}", order_id, last, None, kind="cancellation"))
        for key, order_id in sorted(sold)
    ]
    for book in run([*untimed, *cancellations], policy).books.orders.values():
        if book.currency == "GBP":
            assert (book.net, book.unattributed, book.credits) == (0, 0, {})


def without_term(fact: Fact) -> Fact:
    """Return an order whose lines are earned at once; other facts as they are."""
    if not isinstance(fact, Order):
        return fact
    lines = tuple(
        msgspec.structs.replace(one, term_start=None, term_end=None) for one in fact.lines
    )
    return msgspec.structs.replace(fact, lines=lines)


@given(
    amount=st.integers(-(10**9), 10**9),
    ages=st.lists(st.integers(0, 30 * DAY), min_size=1, max_size=8, unique=True),
    model=st.sampled_from(MODELS),
)
def test_i6_every_credit_is_within_one_unit_of_its_exact_share(
    amount: int, ages: list[int], model: Model
) -> None:
    """I6: whatever the amount, the number of contacts and the model, and all sum exactly."""
    ages = sorted(ages, reverse=True)
    facts: History = [("k", contact(f"c{number}", BASE - age)) for number, age in enumerate(ages)]
    books = run([*facts, ("k", order("o", BASE, amount))], Policy(model=model)).books
    book = books.orders["k", "o"]
    of_model = weights(model, ages)
    for number, weight in enumerate(of_model):
        exact = Fraction(amount * weight, sum(of_model))
        assert abs(book.credits.get((f"c{number}", "product"), 0) - exact) < 1
    assert sum(book.credits.values()) == amount


LINES_OF_CLASS = {
    "product": {"A1a", "A1b"},
    "upgrade": {"A4"},
    "maintenance": {"A3"},
    "support": {"A2a", "A2b"},
}


def test_i7_every_order_line_is_in_exactly_one_line_of_the_statement() -> None:
    """I7: product in A1a or A1b but not both, upgrade A4, maintenance A3, support A2."""
    for seed in range(SEEDS):
        _, policy, history = random_history(seed)
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for account in run(history, policy).books.balance:
            if account.order_id and account.line[:2] in ("A1", "A2", "A3", "A4"):
                assert account.line in LINES_OF_CLASS[account.product_class], seed
                found[account.key, account.order_id].add(account.line)
        assert not any(lines >= {"A1a", "A1b"} for lines in found.values()), seed


DIMENSIONS_OF_A_CHAIN = ("queue", "team", "agent_id", "channel", "reason", "kind")


def moved(history: History) -> History:
    """Return a history whose contacts are anywhere, with every revision somewhere else."""
    found: History = []
    for key, fact in history:
        if isinstance(fact, Contact):
            dice = Random(f"{fact.contact_id} {fact.revision}")
            fact = msgspec.structs.replace(
                fact,
                queue=dice.choice(("sales", "billing")),
                team=dice.choice(("t1", "t2", None)),
                reason=dice.choice(("r1", "r2", None)),
            )
        found.append((key, fact))
    return found


def test_i8_a_lines_entries_by_any_dimension_are_those_of_the_contacts_that_have_it() -> None:
    """I8: so the groups of a line add up to it, and to revenue per contact of the same group.

    Also after revisions that move a contact to another queue, say: nothing stays where it was.
    """
    groups: set[object] = set()
    for seed in range(SEEDS):
        _, policy, history = random_history(seed)
        history = moved(history)
        driven = run(history, policy)
        booked: Counter[tuple[str, str, str]] = Counter()
        credited: Counter[tuple[str, str, str]] = Counter()
        for (key, _), entries in zip(history, driven.steps, strict=True):
            for entry in entries:
                is_a_chains = entry.order_id and (key, entry.contact_id) in driven.contacts
                for name in DIMENSIONS_OF_A_CHAIN if is_a_chains else ():
                    if entry.line not in NOT_OF_AN_ORDER:
                        group = (entry.currency, name, getattr(entry, name))
                        booked[group] += entry.amount_minor
        for record in driven.contacts.values():
            for credit in () if record.withdrawn else record.credits:
                for name in DIMENSIONS_OF_A_CHAIN:
                    group = (credit.currency, name, getattr(record, name))
                    credited[group] += credit.amount_minor
        standing = {group: amount for group, amount in booked.items() if amount}
        assert standing == {group: amount for group, amount in credited.items() if amount}, seed
        groups |= standing.keys()
    assert len(groups) > 2 * len(DIMENSIONS_OF_A_CHAIN)


def test_i9_what_was_reported_and_what_came_after_is_the_whole_recomputed() -> None:
    """I9: closed after any fact, as reported is that prefix alone; as restated is all of it.

    The bridge between them are the entries that came after, each with the fact that caused it.
    """
    for seed in range(SEEDS):
        random, rules, history = random_history(seed)
        closed = random.randrange(len(history) + 1)
        whole, reported = run(history, rules), settle(history[:closed], rules)
        by_cause: dict[str, Counter[Account]] = defaultdict(Counter)
        for (key, fact), entries in zip(history[closed:], whole.steps[closed:], strict=True):
            for entry in entries:
                by_cause[type(fact).__name__][account_of(key, entry)] += entry.amount_minor
        restated: Counter[Account] = Counter(reported.balance)
        for of_cause in by_cause.values():
            restated.update(of_cause)
        due = settle(history, rules).balance
        assert {account: amount for account, amount in restated.items() if amount} == due, seed


def test_i10_an_orders_entries_stand_in_its_own_currency() -> None:
    """I10: nothing of an order is ever booked in another currency than it was made in."""
    for seed in range(SEEDS):
        _, policy, history = random_history(seed)
        books = run(history, policy).books
        for account in books.balance:
            book = books.orders.get((account.key, account.order_id))
            assert book is None or book.currency == account.currency, seed


@given(history=histories((*CALLS, *REFUNDS)), policy=policies(), model=st.sampled_from(MODELS))
def test_i11_another_model_moves_allocations_only(
    history: History, policy: Policy, model: Model
) -> None:
    """I11: gross, net, unattributed and the sum of credits stay, per order and class."""
    other = Policy(
        **{name: getattr(policy, name) for name in policy.__dataclass_fields__ if name != "model"},
        model=model,
    )
    assert totals(history, policy) == totals(history, other)


def totals(history: History, policy: Policy) -> dict[tuple[str, str], object]:
    """Return per order what no model may change."""
    sums: dict[tuple[str, str], object] = {}
    for place, book in run(history, policy).books.orders.items():
        by_class: Counter[str] = Counter()
        for (_, product_class), amount in book.credits.items():
            by_class[product_class] += amount
        credits_of = {name: amount for name, amount in by_class.items() if amount}
        sums[place] = (book.gross, book.net, book.unattributed, credits_of)
    return sums


def test_a_reversal_takes_back_an_entry_that_stands() -> None:
    """DEF-CHANGE: it is the entry it reverses with its amounts negated, never a difference.

    And what stands in the end, notes and all, is the same for any order of arrival.
    """
    for seed in range(SEEDS):
        random, policy, history = random_history(seed)
        other = shuffled_by(random, history)
        assert standing(history, policy) == standing(other, policy), seed


def standing(history: History, policy: Policy) -> Counter[tuple[str, Entry]]:
    """Return the entries that were not reversed; no reversal may lack the entry it reverses."""
    left: Counter[tuple[str, Entry]] = Counter()
    for (key, _), entries in zip(history, run(history, policy).steps, strict=True):
        for entry in entries:
            plain = msgspec.structs.replace(entry, change="")
            if entry.change == "reversal":
                was = msgspec.structs.replace(
                    plain,
                    amount_minor=-plain.amount_minor,
                    spread_minor=-plain.spread_minor,
                    variance_minor2=-plain.variance_minor2,
                )
                assert left[key, was] > 0, entry
                left[key, was] -= 1
            else:
                left[key, plain] += 1
    return +left


@pytest.mark.parametrize("kinds", [None, CALLS, REFUNDS], ids=["all", "calls", "refunds"])
def test_a_customer_read_back_goes_on_as_if_never_put_away(kinds: object) -> None:
    """State: put away after every fact, a customer books the same entries, fact by fact."""
    for seed in range(SEEDS):
        random, policy, history = random_history(seed)
        if kinds is not None:
            history = history_by(random.choice, kinds, ("k",))  # type: ignore[arg-type]
        history = shuffled_by(random, history)
        kept, restored = run(history, policy), run(history, policy, restored=True)
        assert restored.dispositions == kept.dispositions, seed
        assert restored.steps == kept.steps, seed
        assert restored.attributions == kept.attributions, seed
        assert restored.contacts == kept.contacts, seed
        assert restored.orders == kept.orders, seed
        assert restored.costs == kept.costs, seed
        assert restored.periods == kept.periods, seed

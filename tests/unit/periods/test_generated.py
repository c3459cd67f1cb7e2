"""Any history, closed anywhere in the middle: what was reported stays, and the bridge adds up.

Histories are those of the law properties, with shifts. A company that learns them in one order and
closes March on the way is held against one that learns all of it in another order.
"""

from collections.abc import Iterator
from random import Random

import pytest

from pnl.reports.as_reported import closings
from pnl.reports.restatement import REASONS, SHOWN, restatement
from processors.policy import HOUR_MS, DatedPolicy, Policies, book_of
from processors.results import PAYROLL
from sinks.store import Store
from streams.facts import Cost, Period
from tests.properties.histories import History, history_by, policy_by, shuffled_by
from tests.properties.rulebooks import MOMENTS, changed_by
from tests.support.books import at
from tests.support.bulk import few_first
from tests.support.company import Company
from tests.support.facts import BASE, DAY, contact, cost
from tests.support.store import opened_store

PERIOD = "2024-03"
CURRENCIES = ("GBP", "EUR")
SEEDS = range(6)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store for all companies of this module, one after the other."""
    with opened_store(tmp_path_factory.mktemp("generated")) as opened:
        yield opened


def founded(store: Store, rules: Policies) -> Company:
    """Found a company on the emptied store, long after it all happened."""
    tables = store.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND engine LIKE '%MergeTree' AND total_rows > 0 AND name NOT LIKE '%migration%'"
        " AND name != 'schema_versions'"
    )
    for table in tables:
        store.command(f"TRUNCATE TABLE `{table['name']}`")
    company = Company(store, rules)
    company.at(at("2024-12-01"))
    return company


def shifts(rng: Random) -> list[tuple[str, Cost]]:
    """Draw shifts of both agents, some of them paid twice or over midnight."""
    found = []
    for number in range(rng.randrange(5)):
        start = BASE + rng.randrange(-4, 20) * DAY // 2
        agent = rng.choice(("a1", "a2"))
        shift = cost(
            f"shift-{number}", "payroll", start + 8 * HOUR_MS, rng.randrange(1, 60_000),
            customer_id=None, agent_id=agent, queue=rng.choice((None, "sales")),
            period_start=start, period_end=start + rng.choice((4, 8, 24)) * HOUR_MS,
        )  # fmt: skip
        found.append((agent, shift))
    return found


def learn(company: Company, history: History) -> None:
    """Send facts under their keys, a minute apart, and let the job run now and then."""
    for number, (key, fact) in enumerate(history):
        company.at(company.clock.now_ms() + 60_000)
        company.send(fact, key=key)
        if number % 5 == 4:
            company.settle()
    company.settle()


def known(company: Company) -> dict[tuple[str, str], int]:
    """Return March by currency and line."""
    return {
        (currency, line): amount
        for currency in CURRENCIES
        for line, amount in company.lines(PERIOD, currency).items()
    }


def reconciles(company: Company, amounts: dict[tuple[str, str], int]) -> None:
    """C1 + C2 + C7 = -payroll in every currency with payroll."""
    for currency in CURRENCIES:
        rows = company.store.query(
            "SELECT sum(amount_minor) AS paid FROM v_ledger WHERE line = {line:String}"
            " AND currency = {currency:String} AND effective_at >= '2024-03-01'"
            " AND effective_at < '2024-03-31 23:00:00'",
            {"line": PAYROLL, "currency": currency},
        )
        paid = sum(row["paid"] for row in rows)
        if paid:
            assert paid == sum(amounts.get((currency, line), 0) for line in ("C1", "C2", "C7"))


@pytest.mark.parametrize("seed", few_first(SEEDS, 2))
def test_any_history_is_restated_with_its_causes(store: Store, seed: int) -> None:
    """Reported stays, restated is the recount, and the causes fill the gap line by line.

    In every second history the rules change too, from some day on, after the period was closed.
    """
    rng = Random(seed)
    rules = book_of(policy_by(rng.choice))
    changes = [DatedPolicy(rng.choice(MOMENTS), changed_by(rng.choice))] if seed % 2 else []
    corrected = book_of(rules.first, changes)
    # What a period came to is for the job to state here.
    drawn = [(key, fact) for key, fact in history_by(rng.choice) if not isinstance(fact, Period)]
    history: History = [*drawn, *shifts(rng)]
    rng.shuffle(history)
    # Event time passes the period at once, so that all its days count.
    history.insert(0, ("z", contact("later", at("2024-06-01"), customer_id="z")))
    cut = rng.randrange(1, len(history) + 1)

    company = founded(store, rules)
    learn(company, history[:cut])
    company.close(PERIOD)
    reported = known(company)
    reconciles(company, reported)
    later = rng.randrange(cut, len(history) + 1)
    learn(company, history[cut:later])
    if corrected != rules:
        company.restate(corrected)
        company.settle()
    learn(company, history[later:])
    restated = known(company)
    reconciles(company, restated)
    closing = closings(company.store)[PERIOD]
    for currency in CURRENCIES:
        scope = company.scope(PERIOD, currency)
        bridges, lag = restatement(company.store, corrected.newest, scope, closing)
        assert lag == 0
        for line in SHOWN:
            bridge = bridges[line]
            assert bridge.reported_minor == reported.get((currency, line), 0), line
            assert bridge.restated_minor == restated.get((currency, line), 0), line
            assert set(bridge.by_reason) == set(REASONS)
            by_rules = bridge.by_reason["configuration"]
            assert by_rules == 0 or corrected != rules or line in ("C2", "C7"), line
            assert bridge.by_reason["maturity"] == 0
    company.sink.close()

    other = founded(store, corrected)
    learn(other, shuffled_by(rng, history))
    assert known(other) == restated
    other.sink.close()

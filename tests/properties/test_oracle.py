"""Journeys against the naive oracle: any history, in any order, on every prefix.

Hypothesis finds corners and shrinks them; a seeded generator lays many more histories over the
middle, where Hypothesis, fond of repeating itself, seldom goes.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.policy import Policy
from tests.oracle import settle
from tests.properties.histories import (
    ALL,
    CALLS,
    KEYS,
    REFUNDS,
    History,
    Kinds,
    histories,
    history_by,
    policies,
    policy_by,
    shuffled,
    shuffled_by,
)
from tests.spec.scenario import assert_equal
from tests.support.drive import run

SEEDS_PER_TEST = 10 * settings.default.max_examples


def holds(history: History, other: History, policy: Policy) -> None:
    """Hold journeys against the oracle, in the order drawn and in another with repetitions."""
    due = settle(history, policy)
    assert_equal(run(history, policy).books, due, "as drawn")
    assert_equal(run(other, policy).books, due, "shuffled")


@settings(max_examples=6 * settings.default.max_examples)
@given(history=histories(), policy=policies(), data=st.data())
def test_journeys_come_to_what_the_oracle_says(history: History, policy: Policy, data: Any) -> None:
    """I4: every sum is that of one naive batch, whatever the order and the repetitions."""
    holds(history, data.draw(shuffled(history)), policy)


@given(history=histories(size_max=12), policy=policies())
def test_every_prefix_comes_to_what_the_oracle_says(history: History, policy: Policy) -> None:
    """What is true at the end is true after every fact."""
    for length in range(1, len(history) + 1):
        prefix = history[:length]
        assert_equal(run(prefix, policy).books, settle(prefix, policy), f"after {length}")


@pytest.mark.parametrize(
    ("kinds", "keys"),
    [(ALL, KEYS), (CALLS, ("k",)), (REFUNDS, ("k",))],
    ids=["all", "calls", "refunds"],
)
def test_seeded_histories_come_to_what_the_oracle_says(kinds: Kinds, keys: tuple[str, ...]) -> None:
    """I4 in bulk: everything at once; legs that join and part; refunds that compete."""
    for seed in range(SEEDS_PER_TEST):
        random = Random(seed)
        policy = policy_by(random.choice)
        history = history_by(random.choice, kinds, keys)
        other = shuffled_by(random, history)
        if fails(history, other, policy):
            explain(seed, history, other, policy)


def explain(seed: int, history: History, other: History, policy: Policy) -> None:
    """Fail with as few facts as still show what is wrong, and the seed."""
    for facts in (history, other):
        if not fails(facts, facts, policy):
            continue
        few = reduced(facts, lambda fewer: fails(fewer, fewer, policy))
        with pytest.raises(AssertionError) as found:
            holds(few, few, policy)
        shown = "\n".join(map(str, few))
        pytest.fail(f"seed {seed}, {policy}\n{shown}\n{found.value}")


def fails(history: History, other: History, policy: Policy) -> bool:
    """Say whether the oracle disagrees."""
    try:
        holds(history, other, policy)
    except AssertionError:
        return True
    return False


def reduced(history: History, still: Callable[[History], bool]) -> History:
    """Leave out facts for as long as what is left still fails."""
    at = 0
    while at < len(history):
        fewer = history[:at] + history[at + 1 :]
        if still(fewer):
            history, at = fewer, 0
        else:
            at += 1
    return history

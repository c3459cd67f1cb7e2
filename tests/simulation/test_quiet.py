"""Accounts of quiet partitions, in the middle of everything that goes wrong."""

from datetime import timedelta
from itertools import count

import pytest

from pnl.engine import JourneysWorker
from streams.kafka_consumer import KafkaConsumer
from tests.simulation.simulation import simulate
from tests.simulation.test_seeds import hold

NOW = timedelta()
MANY = [range(first, first + 25) for first in range(15, 215, 25)]


@pytest.fixture(autouse=True)
def telling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every worker tell that its partitions are quiet whenever a poll brought nothing."""
    step, moments = JourneysWorker.step, count(1)

    def told(worker: JourneysWorker, wait: timedelta) -> int:
        records = step(worker, wait)
        if not records:
            worker._runner.tell_quiet(next(moments), NOW)
        return records

    monkeypatch.setattr(JourneysWorker, "step", told)


def test_who_tells_that_nothing_came_owns_what_it_speaks_of() -> None:
    """A member that is just losing its partitions must not commit their offsets again."""
    hold(range(5, 15))


def test_the_account_of_a_member_that_owns_nothing_any_more_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Were it let commit, offsets would go back: what keeps it from that is not vain."""
    monkeypatch.setattr(KafkaConsumer, "_assert_settled", lambda _: None)
    assert any(simulate(seed).failures for seed in (5, 6, 12, 13, 14))


@pytest.mark.simulation
@pytest.mark.parametrize(
    "seeds", [range(first, first + 25) for first in range(15, 215, 25)], ids=str
)
def test_nothing_is_lost_in_many_seeds(seeds: range) -> None:
    """They hold in two hundred more."""
    hold(seeds)

"""The period job as a worker: what a step does, and when it rests."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from pnl.periods.job import PeriodJob
from pnl.periods.role import PeriodsRole
from processors.policy import HOUR_MS, Policy
from sinks.store import Store
from sinks.store_errors import Remedy, StoreError
from streams.log import Busy
from tests.support.books import at
from tests.support.company import LATENESS, Company
from tests.support.facts import contact, cost
from tests.support.store import store as store

NOW = timedelta(0)


@pytest.fixture
def company(store: Store) -> Iterator[Company]:
    """Return a company with a shift, long after April."""
    founded = Company(store, Policy(loaded_per_hour_minor=3600))
    founded.at(at("2024-06-01"))
    since = at("2024-04-10 08:00")
    founded.send(
        cost(
            "p1", "payroll", since, 30_000, customer_id=None, agent_id="a1",
            period_start=since, period_end=since + 8 * HOUR_MS,
        )
    )  # fmt: skip
    yield founded
    founded.sink.close()


def test_a_step_waits_until_all_is_stored_then_states_and_rests(company: Company) -> None:
    """Nothing is read of a store that lags; after a run that found nothing it rests."""
    role = PeriodsRole(company.log, company.job)
    assert role.step(NOW) == 0  # nothing is applied yet
    company.cut()
    assert role.step(NOW) == 2
    assert role.step(NOW) == 0
    company.cut()
    assert role.step(NOW) == 0
    assert company.lines("2024-04") == {"C2": -8 * 3600, "C7": -1200}
    company.send(contact("c1", at("2024-04-10 09:00"), agent_id="a1"))
    company.cut()
    assert role.step(NOW) == 0  # it rests
    assert role.missing() is None
    role.close()


class Broken:
    """A store that answers nothing."""

    def __init__(self, remedy: Remedy) -> None:
        self._remedy = remedy

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Refuse."""
        del sql, parameters
        raise StoreError("gone fishing", None, self._remedy)

    integers: Any = query


def test_a_store_that_does_not_answer_is_waited_for(company: Company) -> None:
    """The loop tries again later, and the worker is not ready meanwhile."""
    company.cut()
    job = PeriodJob(company.log, Broken(Remedy.RETRY), Policy(), company.clock, LATENESS)
    role = PeriodsRole(company.log, job)
    with pytest.raises(Busy, match="gone fishing"):
        role.step(NOW)
    said = role.missing()
    assert said is not None
    assert "gone fishing" in said


def test_a_store_that_a_person_must_look_at_ends_the_worker(company: Company) -> None:
    """A wrong schema does not pass by waiting."""
    company.cut()
    job = PeriodJob(company.log, Broken(Remedy.STOP), Policy(), company.clock, LATENESS)
    with pytest.raises(StoreError, match="gone fishing"):
        PeriodsRole(company.log, job).step(NOW)

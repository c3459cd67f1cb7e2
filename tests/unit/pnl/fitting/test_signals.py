"""What signals of contacts weigh, learnt from a store: labels that matured, facts known then."""

from collections.abc import Iterator
from functools import cache

import pytest

from pnl.fitting.churn import ChurnFit, fit_churn
from pnl.fitting.model_file import WeightPart
from pnl.fitting.signals import learnt_signals
from pnl.reports.period import date_of
from processors.churn import matured
from processors.churn_signals import HEURISTIC, SIGNALS
from processors.policy import Policy
from processors.purchases import Purchases
from sinks.store import Store
from tests.support.books import Books, chain
from tests.support.cdnow import CALIBRATED, bought
from tests.support.store import opened_store

POLICY = Policy(timezone="UTC", currency="USD")


@cache
def fit() -> ChurnFit:
    """Return the fit of a day whose labels are of 90 days before it."""
    return fit_churn(bought(), CALIBRATED)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store in which complaints come from those who will not buy again, mostly."""
    learnt = fit().learnt
    assert learnt is not None
    past = matured(bought(), learnt.day, learnt.horizon_days)
    names = [bought().customers[place] for place in past.snapshot.customers.tolist()]
    gone = [name for name, left in zip(names, past.gone, strict=True) if left]
    stayed = [name for name, left in zip(names, past.gone, strict=True) if not left]
    before, after = date_of(learnt.day - 3).isoformat(), date_of(learnt.day + 3).isoformat()
    angry = [*gone[:400], *stayed[:40]]
    with opened_store(tmp_path_factory.mktemp("signals")) as opened:
        Books(opened).put(
            *(
                chain(f"a{name}", before, customer_id=name, reason="complaint", identified=True)
                for name in angry
            ),
            *(
                chain(f"w{name}", before, customer_id=name, wait_ms=900_000, identified=True)
                for name in [*gone[:5], *stayed[:5]]
            ),
            *(
                chain(f"l{name}", after, customer_id=name, outcome="unresolved", identified=True)
                for name in [*gone[:100], *stayed[:100]]
            ),
        )
        yield opened


def learnt(store: Store, known: Purchases | None = None) -> dict[str, WeightPart]:
    """Return the weights by signal."""
    found = learnt_signals(store, known or bought(), fit(), POLICY)
    assert found is not None
    assert found.learnt_over_days == 90
    return {each.signal: each for each in found.weights}


def test_a_signal_weighs_what_matured_labels_say(store: Store) -> None:
    """Complaints of those who left weigh more than the fixed weight; few waits keep theirs."""
    found = learnt(store)
    assert list(found) == list(SIGNALS)
    assert found["complaint"].learnt
    assert found["complaint"].customers == 440
    assert found["complaint"].logit > HEURISTIC["complaint"]
    assert (found["long_wait"].learnt, found["long_wait"].logit) == (False, HEURISTIC["long_wait"])


def test_what_happened_after_the_day_of_the_labels_is_not_known(store: Store) -> None:
    """Contacts of later days show no signal."""
    assert learnt(store)["unresolved"].customers == 0


def test_without_matured_labels_nothing_is_learnt(store: Store) -> None:
    """A fit without a calibration has none to learn from."""
    young = fit_churn(bought(), CALIBRATED - 270)
    assert young.learnt is None
    assert learnt_signals(store, bought(), young, POLICY) is None

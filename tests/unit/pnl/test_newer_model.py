"""A newer model is taken up between two batches, as if journeys had been started anew."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from shutil import copyfile

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from pnl.fitting.newer import NewerModel
from pnl.importing import DEMO_CHURN, example
from pnl.metrics import Metrics
from pnl.workers.roles import JourneysRole
from processors.live_churn import LiveModel
from processors.policy import Policy
from processors.signal_records import ChurnRecord
from streams.clock import ManualClock
from streams.topics import CHURN
from tests.support.stored import append, memory_log
from tests.support.trade import trade
from tests.unit.pnl.test_engine_signals import LATER, MODEL

NO_WAIT = timedelta(0)
OTHER = replace(MODEL, name="other", horizon_days=60)


def told(*, restarted: bool) -> list[ChurnRecord]:
    """Return what is said of risks by one model and then another, of the later half of a trade."""
    log, clock, newer = memory_log(2), ManualClock(LATER), list[LiveModel]()

    def journeys(model: LiveModel) -> JourneysRole:
        return JourneysRole(
            log,
            Policy(),
            Metrics(CollectorRegistry()),
            clock,
            code_version="test",
            records_max=500,
            risk=model,
            newer=lambda: newer.pop() if newer else None,
        )

    facts = list(trade(60))
    role = journeys(MODEL)
    for part in (facts[: len(facts) // 2], facts[len(facts) // 2 :]):
        for fact in part:  # one by one: which topic a poll begins with is the consumer's affair
            append(log, [fact])
            role.step(NO_WAIT)
        if restarted:
            role.close()
            role = journeys(OTHER)
        else:
            newer.append(OTHER)
    role.close()
    return [
        msgspec.json.decode(record.value or b"", type=ChurnRecord)
        for partition in range(log.partitions)
        for record in log.read(CHURN, partition, 0, 100_000)
    ]


def test_a_newer_model_is_taken_up_as_by_a_restart() -> None:
    """Each record is the one it would be, and names the model it comes of."""
    taken_up = told(restarted=False)
    assert taken_up == told(restarted=True)
    assert {record.model for record in taken_up} == {MODEL.name, OTHER.name}


def test_a_file_is_read_again_when_it_has_changed_and_a_bad_one_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that comes is used; what cannot be used is told once, and the next one is used again."""
    path = tmp_path / "churn.json"
    newer = NewerModel(path)
    assert newer() is None
    copyfile(example(DEMO_CHURN), path)
    assert newer() is not None
    assert newer() is None
    path.write_text("{", "utf-8")
    assert [newer(), newer()] == [None, None]
    assert len([each for each in caplog.records if "not used" in each.message]) == 1
    copyfile(example(DEMO_CHURN), path)
    assert newer() is not None

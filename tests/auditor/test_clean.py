"""A long run without damage raises no alarm: an auditor that cries wolf is switched off."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pnl.auditor.auditor import Auditor
from pnl.auditor.findings import Found
from pnl.engine import JourneysWorker
from pnl.simulator import generate
from processors.policy import Policy
from streams.clock import ManualClock
from streams.codec import encode
from streams.facts import event_time_of, key_of
from streams.log import Outgoing
from streams.sqlite_log import SqliteLog
from streams.topics import CONTACTS, ORDERS
from tests.auditor.world import GRACE, NOW, RULES
from tests.support.bulk import few_first

FACTS = [20_000, int(os.environ.get("PNL_TEST_AUDITED_FACTS", "200000"))]
"""Five million before a release."""
SHARE_PPM = 50_000
AT_ONCE = 5_000


@pytest.mark.parametrize("many", few_first(FACTS, 1))
def test_a_run_without_damage_raises_no_alarm(tmp_path: Path, many: int) -> None:
    """The auditor follows journeys with repeats, rubbish and contradictions, and finds nothing."""
    customers = many // 20
    facts = list(generate(customers, many, 11).events())
    clock = ManualClock(max(event_time_of(fact) for _, fact in facts) + 1_000)
    log = SqliteLog(tmp_path / "log.sqlite", clock=clock, durability="normal")
    worker = JourneysWorker(log, Policy(), code_version="test")
    found: list[Found] = []
    rules = replace(RULES, share_ppm=SHARE_PPM)
    auditor = Auditor(log, None, Policy(), clock, rules=rules, on_alarm=found.append)
    for start in range(0, len(facts), AT_ONCE):
        by_topic: dict[str, list[Outgoing]] = {}
        for number, (topic, fact) in enumerate(facts[start : start + AT_ONCE]):
            outgoing = Outgoing(key_of(fact).encode(), encode(fact))
            by_topic.setdefault(topic, []).extend([outgoing] * (2 if number % 50 == 0 else 1))
        by_topic[CONTACTS] += [Outgoing(b"k", b"{")] * 20
        by_topic[ORDERS].insert(7, by_topic[ORDERS][0]._replace(key=b"another"))
        for topic, outgoing_ in by_topic.items():
            log.append(topic, outgoing_)
        while worker.step(NOW):
            auditor.step(NOW)
        clock.advance(GRACE)
    while auditor.step(NOW) or auditor.gauges()["uneven_seconds"]:
        clock.advance(GRACE)
    auditor.recompute_now(0)
    while auditor.is_recomputing:
        auditor.step(NOW)
    figures = auditor.gauges()
    auditor.close()
    worker.close()
    log.close()
    assert {each for each in found if each.law != "A2"} == set()
    assert figures["entries_total"] > many
    assert figures["customers_recomputed_total"] > customers / 30

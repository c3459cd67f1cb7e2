"""The programs of examples/agents, run as a team would run them, on a real broker."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from pnl.engine import GROUP as JOURNEYS
from pnl.engine import JourneysWorker
from pnl.reports.model import Scope
from pnl.reports.queries import Reports
from pnl.reports.render_json import statement_json
from processors.policy import Policy
from streams.clock import ManualClock
from streams.kafka_log import KafkaLog
from streams.log import TopicPartition
from streams.topics import ATTRIBUTIONS, INPUT_NAMES, TOPICS
from tests.kafka.into_store import copy_all
from tests.kafka.places import create_topics, open_log
from tests.support.facts import at, refund
from tests.support.kafka_broker import ROOT, Cluster
from tests.support.kafka_plain import producer, read
from tests.support.store import opened_store
from tests.support.stored import append
from tests.support.trade import trade
from tests.support.waiting import until

AGENTS = ROOT / "examples" / "agents"
EARNED = "team.earned.v1"
DAYS = 30
PARTITIONS = 2
WAIT = timedelta(milliseconds=50)


@pytest.fixture(scope="module")
def prefix() -> str:
    """Return what stands before the names of topics that both tests read."""
    return f"agents{uuid4().hex[:8]}."


@pytest.fixture(scope="module")
def log(cluster: Cluster, prefix: str) -> Iterator[KafkaLog]:
    """Yield a log in which journeys have told some weeks; one more record was never committed."""
    create_topics(cluster, prefix, PARTITIONS, (*TOPICS, EARNED))
    opened = open_log(cluster, prefix)
    orphan = refund("r-orphan", "o-nobody-knows", at(DAYS), 300, customer_id="k1")
    append(opened, [*trade(DAYS), orphan])
    worker = JourneysWorker(opened, Policy(), code_version="test")
    while not _is_drained(opened):
        worker.step(WAIT)
    worker.close()
    aborted = producer(cluster.bootstrap, transactional_id=f"{prefix}never")
    aborted.init_transactions(30)
    aborted.begin_transaction()
    vector = {"order_id": "o-never", "revision": 1, "credits": []}
    aborted.produce(prefix + ATTRIBUTIONS, json.dumps(vector).encode(), b"never", 0)
    assert aborted.flush(30) == 0
    aborted.abort_transaction(30)
    yield opened
    opened.close()


def _is_drained(log: KafkaLog) -> bool:
    committed = log.committed(JOURNEYS)
    return all(
        committed.get(TopicPartition(topic, number), 0) == end
        for topic in INPUT_NAMES
        for number, end in log.end_offsets(topic).items()
    )


def totals(*arguments: str, expected: int = 0) -> str:
    """Run the plain consumer; return what it says."""
    command = [sys.executable, str(AGENTS / "totals.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == expected, done.stderr
    return done.stdout


def test_a_plain_consumer_adds_up_to_the_statement(
    cluster: Cluster, prefix: str, log: KafkaLog, tmp_path: Path
) -> None:
    """Its total is that of `pnl report statement`; read again it is the same; one off is seen."""
    own = ("--database", str(tmp_path / "team.sqlite"))
    follow = ("follow", *own, "--brokers", cluster.bootstrap, "--prefix", prefix, "--until-end")
    assert int(totals(*follow).split()[0]) > DAYS, "refunds make revisions"
    assert totals(*follow) == "0 records\n"
    with opened_store(tmp_path / "store") as store:
        copy_all(log, store)
        reports = Reports(store, Policy(), ManualClock(0))
        told = statement_json(reports.statement(Scope(currency="GBP")))
    path = tmp_path / "statement.json"
    path.write_text(json.dumps(told), "utf-8")
    assert told["bridge"]["a_minor"] > 0
    assert {"M8": -300}.items() <= {m["memo"]: m.get("amount_minor") for m in told["memo"]}.items()
    assert "that of the statement" in totals("check", *own, "--statement", str(path))
    told["bridge"]["a_minor"] += 1
    path.write_text(json.dumps(told), "utf-8")
    assert "credited: ours" in totals("check", *own, "--statement", str(path), expected=1)


@contextmanager
def agent(cluster: Cluster, prefix: str) -> Iterator[subprocess.Popen[str]]:
    """Run the team's agent; it is killed in the end."""
    running = subprocess.Popen(
        [sys.executable, str(AGENTS / "earned_agent.py")],
        env=os.environ | {"BROKERS": f"kafka://{cluster.bootstrap}", "PREFIX": prefix},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def earned(cluster: Cluster, prefix: str) -> dict[str, dict[str, int]]:
    """Return what the agent says of each order: the record of the highest revision."""
    latest: dict[str, tuple[int, dict[str, int]]] = {}
    for number in range(PARTITIONS):
        for value in read(cluster.bootstrap, prefix + EARNED, number):
            assert value is not None
            told = json.loads(value)
            found = told["revision"], told["earned_minor"]
            latest[told["order_id"]] = max(found, latest.get(told["order_id"], found), key=_first)
    return {name: sums for name, (_, sums) in latest.items()}


def _first(found: tuple[int, dict[str, int]]) -> int:
    return found[0]


@pytest.mark.usefixtures("log")
def test_a_teams_agent_on_faust_tells_what_each_order_earned(cluster: Cluster, prefix: str) -> None:
    """Killed in the middle and started again it says the same, and nothing of what was aborted."""
    expected: dict[str, Counter[str]] = {}
    for number in range(PARTITIONS):
        for value in read(cluster.bootstrap, prefix + ATTRIBUTIONS, number):
            assert value is not None
            vector = json.loads(value)
            sums = expected[vector["order_id"]] = Counter()
            for credit in vector["credits"]:
                sums[credit["product_class"]] += credit["credit_minor"]
    assert "o-never" not in expected
    with agent(cluster, prefix):
        until(lambda: bool(earned(cluster, prefix)), 30, "the agent has said something")
    with agent(cluster, prefix) as again:
        until(lambda: earned(cluster, prefix) == expected, 60, "the agent has told all")
        assert again.poll() is None

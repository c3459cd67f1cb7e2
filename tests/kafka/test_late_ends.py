"""Requests of a transaction that are lost, answered to nobody, or come late into the next one.

The client repeats them without a word (tests/kafka/test_proxy.py), in the first version of the
protocol a late one is taken for the next transaction's (KAFKA-17754). Nothing may be torn: after an
end that may have been sent twice a new producer takes over, whose predecessor is refused.
"""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import pytest

from pnl.engine import JourneysWorker
from pnl.errors import Exit
from streams.kafka_log import KafkaLog
from streams.kafka_producer import SlotProducer
from streams.log import Busy, Fenced, LogFailed
from tests.kafka.checks import find, is_exact
from tests.kafka.draining import is_drained
from tests.kafka.load import POLICY, load
from tests.kafka.stage import Stage, at_once, stage_on
from tests.kafka.worker import TRANSACTION, WAIT, settings
from tests.support.kafka_broker import Cluster
from tests.support.kafka_proxy import Fault, Proxy
from tests.support.kafka_wire import Api
from tests.support.waiting import until

SEEDS: Final = int(os.environ.get("PNL_LATE_SEEDS", "20"))
FIRST_SEED: Final = int(os.environ.get("PNL_LATE_FIRST_SEED", "0"))
CUSTOMERS: Final = 60
ENDS: Final = (Api.END_TXN,) * 4
OTHERS: Final = (Api.ADD_OFFSETS_TO_TXN, Api.TXN_OFFSET_COMMIT, Api.ADD_PARTITIONS_TO_TXN)
INTO: Final = (
    Api.ADD_PARTITIONS_TO_TXN,
    Api.PRODUCE,
    Api.ADD_OFFSETS_TO_TXN,
    Api.TXN_OFFSET_COMMIT,
)
"""What the next transaction is about to send when the late request comes."""
SOON: Final = {"socket.timeout.ms": "1000", "records_max": "20"}
"""A request that is not answered is sent again after a second."""


def come_late(stage: Stage, proxy: Proxy, fault: Fault, into: Api, nth: int = 1) -> None:
    """Let the broker have a request that was struck when a later transaction has come so far."""
    struck = fault.await_hit()
    count = partial(proxy.count, client=stage.prefix)
    ends = count(Api.END_TXN)
    until(lambda: count(Api.END_TXN) > ends, 30, "the transaction has ended all the same")
    gate = proxy.hold(into, nth, client=stage.prefix)
    gate.await_hit()
    if fault.what.name == "HOLD":
        fault.release()
        fault.await_reply()
    else:
        proxy.replay(struck)
    gate.release()


def late(cluster: Cluster, proxy: Proxy, folder: Path, seed: int) -> None:
    """Strike one request of a worker's transactions, and let it come late."""
    dice = Random(seed)
    with stage_on(cluster, folder) as stage:
        api = dice.choice(ENDS + OTHERS)
        set_fault = dice.choice((Proxy.hold, Proxy.cut, Proxy.lose_reply))
        fault = set_fault(proxy, api, nth=dice.randrange(2, 8), client=stage.prefix)
        stage.send(load(seed, CUSTOMERS))
        named = {**SOON, "client.id": stage.prefix}
        worker = stage.crew.start("0", "", cluster.proxied_bootstrap, **named)
        come_late(stage, proxy, fault, dice.choice(INTO))
        stage.send(load(seed + 1_000, CUSTOMERS, first=CUSTOMERS))
        stage.await_drained()
        if api is Api.END_TXN:
            assert "going on with a new producer" in worker.said
        stage.finish(worker)


@pytest.fixture(scope="module")
def before_the_broker(cluster: Cluster) -> Iterator[Proxy]:
    """Yield a proxy for the tests of this module."""
    with Proxy(cluster) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    before_the_broker: Proxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[tuple[object, ...], Future[None]]]:
    """Yield every run that was asked for."""
    run = partial(late, cluster, before_the_broker, tmp_path_factory.mktemp("late"))
    with at_once(request, run, ("seed",)) as under_way:
        yield under_way


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_a_late_request_tears_nothing(
    seed: int, runs: dict[tuple[object, ...], Future[None]]
) -> None:
    """Held and released, cut and replayed, answered to nobody and replayed: all is exact."""
    runs[(seed,)].result()


def work_in_this_process(stage: Stage, ended: list[Exception]) -> None:
    """Work until an error ends it, and keep that."""
    told = settings(
        stage.cluster.proxied_bootstrap,
        stage.prefix,
        "0",
        {"client.id": stage.prefix, "socket.timeout.ms": "1000", "batch.num.messages": "1"},
        TRANSACTION,
    )
    log = KafkaLog(told)
    try:
        worker = JourneysWorker(log, POLICY, code_version="test", records_max=20)
        while True:
            try:
                worker.step(WAIT)
            except Busy:
                continue
    except (LogFailed, Fenced) as error:
        ended.append(error)
    finally:
        log.close()


def test_a_torn_batch_is_found(
    cluster: Cluster, before_the_broker: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the new producer a batch is torn: the restore refuses it, or the recount shows it."""
    monkeypatch.setattr(
        SlotProducer, "_replace", lambda self, _: setattr(self, "_disturbed", False)
    )
    with stage_on(cluster, tmp_path) as stage:
        fault = before_the_broker.hold(Api.END_TXN, nth=3, client=stage.prefix)
        stage.send(load(1, CUSTOMERS))
        ended: list[Exception] = []
        thread = threading.Thread(target=work_in_this_process, args=(stage, ended), daemon=True)
        thread.start()
        come_late(stage, before_the_broker, fault, Api.PRODUCE, nth=25)
        thread.join(60)
        assert ended
        monkeypatch.undo()
        successor = stage.crew.start("0")
        until(lambda: is_drained(stage.log) or successor.code is not None, 60, "it went on or not")
        if successor.code is None:
            assert successor.stop() == Exit.OK
            stage.watcher.await_whole()
            assert stage.watcher.faults, ended
            assert not is_exact(find(cluster.bootstrap, stage.prefix))
        else:
            assert successor.code == Exit.DAMAGED
            assert "torn batch" in successor.said

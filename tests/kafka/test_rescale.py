"""One worker, or one, then three, then two with kills in between: the same bytes come out.

What is compared: of every output topic and partition all records in their order, key and value,
apart from the name of the batch that wrote them. The input is the same, in the same order, with the
same log times; each topic is sent when the one before is processed, so that it is fixed which of a
customer's facts comes first. Batches, offsets and control records differ, as they must.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import pytest

from pnl.errors import Exit
from processors.results import LedgerRecord
from streams.topics import BATCHES, DEAD_LETTERS, LEDGER
from tests.kafka.checks import Found
from tests.kafka.crew import Worker
from tests.kafka.load import Sent, by_topic, load
from tests.kafka.stage import Stage, stage_on
from tests.support.kafka_broker import Cluster

SEED: Final = int(os.environ.get("PNL_RESCALE_SEED", "1"))
RUNS: Final = int(os.environ.get("PNL_RESCALE_RUNS", "1"))
CUSTOMERS: Final = int(os.environ.get("PNL_RESCALE_CUSTOMERS", "400"))
PARTITIONS: Final = 6
SLOTS: Final = (1, 3, 2, 2)
"""So many workers for contacts, for orders, for costs, for resolutions."""
_ledger: Final = msgspec.json.Decoder(LedgerRecord).decode


def calm(stage: Stage, held: list[Sent]) -> Found:
    """Let one worker do all of it."""
    worker = stage.crew.start()
    for wave in by_topic(held):
        stage.send(wave)
        stage.await_drained()
    return stage.finish(worker)


def rescaled(stage: Stage, held: list[Sent], dice: Random) -> Found:
    """Let one worker do it, then three, then two; kill one of them amid each part."""
    crew: list[Worker] = []
    for count, wave in zip(SLOTS, by_topic(held), strict=True):
        for worker in crew[count:]:
            assert worker.stop() == Exit.OK, worker.said
        crew = crew[:count] + [stage.crew.start(str(slot)) for slot in range(len(crew), count)]
        stage.await_members(count)
        stage.send(wave[: len(wave) // 2])
        struck = dice.randrange(count)
        stage.await_some()
        crew[struck].kill()
        crew[struck] = stage.crew.start(str(struck))
        stage.send(wave[len(wave) // 2 :])
        stage.await_drained()
    return stage.finish(*crew)


def content(found: Found) -> dict[tuple[str, int], list[tuple[bytes | None, bytes | None]]]:
    """Return what every partition of the outputs holds, batches left out of it."""
    return {
        place: [
            (record.key, _nameless(record.value) if place[0] == LEDGER else record.value)
            for record in held
        ]
        for place, held in found.outputs.items()
        if place[0] not in (BATCHES, DEAD_LETTERS)
    }


def _nameless(value: bytes | None) -> bytes:
    assert value is not None
    return msgspec.json.encode(msgspec.structs.replace(_ledger(value), batch_id=""))


@contextmanager
def on_its_own(cluster: Cluster, folder: Path) -> Iterator[Stage]:
    """Yield a stage with enough partitions for three workers."""
    with stage_on(cluster, folder, partitions=PARTITIONS) as stage:
        yield stage


@pytest.mark.parametrize("run", range(RUNS))
def test_one_worker_and_one_three_two_write_the_same_bytes(
    run: int, cluster: Cluster, tmp_path: Path
) -> None:
    """How many workers there are, and which of them die, shows in no byte of any result."""
    held = load(SEED + run, CUSTOMERS)
    with on_its_own(cluster, tmp_path) as stage:
        one = calm(stage, held)
    with on_its_own(cluster, tmp_path) as stage:
        many = rescaled(stage, held, Random(SEED + run))
    assert one.dispositions == many.dispositions
    assert content(one) == content(many)
    assert len(one.of(LEDGER, LedgerRecord)) > CUSTOMERS

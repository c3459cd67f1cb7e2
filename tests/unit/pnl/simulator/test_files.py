"""The files of a simulation: the same bytes for the same seed, wherever and whenever."""

import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pnl.simulator import Truth, generate, truth, write
from pnl.simulator.centre import Outage
from pnl.simulator.timeline import DAY_MS
from streams.facts import Contact
from streams.facts import event_time_of as fact_at

pytestmark = pytest.mark.timeout(120)

FILES = ["contacts.jsonl", "costs.jsonl", "orders.jsonl", "resolutions.jsonl", "truth.json"]


def digests(folder: Path) -> dict[str, str]:
    """Return a hash per file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_same_arguments_give_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    """Whatever PYTHONHASHSEED is; another seed gives other files."""
    code = (
        "import sys, pathlib; from pnl.simulator import generate, write; "
        "write(pathlib.Path(sys.argv[1]), generate(300, 5000, int(sys.argv[2])))"
    )
    for name, hash_seed, seed in (("a", "0", "7"), ("b", "4242", "7"), ("c", "0", "8")):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / name), seed],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            check=True,
        )
    first, second, other = (digests(tmp_path / name) for name in "abc")
    assert sorted(first) == FILES
    assert first == second
    assert not first.items() & other.items()


def test_the_truth_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The dataclass is the schema of the file, and the lines are as many as it counts."""
    simulation = generate(300, 5000, 7)
    write(tmp_path / "new" / "folder", simulation)
    folder = tmp_path / "new" / "folder"
    stated = msgspec.json.decode((folder / "truth.json").read_bytes(), type=Truth)
    assert stated == simulation.truth()
    for topic in ("contacts", "resolutions", "orders", "costs"):
        lines = (folder / f"{topic}.jsonl").read_bytes().splitlines()
        assert len(lines) == getattr(stated.counts, topic)
        assert all(json.loads(line)["event_id"] for line in lines[:50])


def test_every_field_of_the_truth_is_documented() -> None:
    """docs/simulator.md names each of them, and no other."""
    text = (Path(__file__).parents[4] / "docs" / "simulator.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    parts = [part for part in vars(truth).values() if isinstance(part, type)]
    fields = {
        name
        for part in parts
        if issubclass(part, msgspec.Struct)
        for name in part.__struct_fields__
    }
    assert documented == fields


def test_an_outage_changes_its_queue_while_it_lasts_and_nothing_before() -> None:
    """Waits triple and resolution falls in [start, end) of one queue; until then nothing moves."""
    start = generate(300, 20_000, 7).truth().to_at - 100 * DAY_MS
    outage = Outage(queue="orders", start=start, end=start + 60 * DAY_MS)
    plain, struck = (
        list(generate(300, 20_000, 7, outages=outages).events()) for outages in ((), (outage,))
    )
    before = [sum(fact_at(fact) < start for _, fact in events) for events in (plain, struck)]
    assert plain[: before[0]] == struck[: before[1]]
    waits = [
        [
            fact.wait_ms
            for _, fact in events
            if isinstance(fact, Contact)
            and (fact.queue, fact.channel) == ("orders", "voice")
            and fact.connected_at is not None
            and start <= fact.started_at < outage.end
        ]
        for events in (plain, struck)
    ]
    ratio = statistics.mean(waits[1]) / statistics.mean(waits[0])
    assert 2 < ratio < 3, "three times, less those who give up"
    truth = generate(300, 20_000, 7, outages=(outage,)).truth()
    assert [(each.queue, each.starts_at) for each in truth.outages] == [("orders", start)]


def test_an_outage_of_no_queue_is_refused() -> None:
    """A name nobody knows is answered with those there are."""
    with pytest.raises(ValueError, match="there are orders, returns"):
        Outage(queue="nowhere", start=0, end=1)

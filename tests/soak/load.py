"""A process that loads a generated year into a data folder, going on where a killed one stopped.

python -m tests.soak.load --write YEAR EVENTS SEED    writes a year's records to a file
python -m tests.soak.load YEAR FOLDER                 appends, applies, stores; "ready", "done"
python -m tests.soak.load --digest FOLDER             prints what the folder holds, as JSON
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from pnl.cli.ending import leave
from pnl.datafolder import DataFolder
from pnl.errors import Exit
from pnl.periods.job import settle
from pnl.pipeline import behind, is_caught_up
from pnl.reports.model import Scope
from pnl.reports.render import render_statement
from pnl.server import Server, hold
from pnl.settings import Settings
from pnl.settings_load import Loaded
from pnl.simulator import generate
from sinks.store import Store
from sinks.verify import verify
from streams.clock import SystemClock, pause
from streams.codec import encode
from streams.facts import key_of
from streams.log import Outgoing
from streams.topics import INPUT_NAMES

APPEND = 5_000
BEHIND_MAX = 40_000
FACTS_PER_CUSTOMER = 20
LOADED = Loaded(settings=Settings(), files=(), variables=())


def write(year: Path, events: int, seed: int) -> None:
    """Write the records of a generated year: topic, key and value, a line each."""
    with year.open("wb") as file:
        for topic, fact in generate(events // FACTS_PER_CUSTOMER, events, seed).events():
            file.write(b"\t".join([topic.encode(), key_of(fact).encode(), encode(fact)]) + b"\n")


def load(year: Path, folder: Path) -> None:
    """Append what is missing of the year, and wait until all of it is stored."""
    data = DataFolder(folder)
    data.prepare()
    lock = hold(data, "load", print)
    with Server(data, LOADED, SystemClock(), print) as server:
        server.start()
        there = {topic: sum(server.log.end_offsets(topic).values()) for topic in INPUT_NAMES}
        print("ready", flush=True)
        passed: Counter[str] = Counter()
        batch: dict[str, list[Outgoing]] = {}
        size = 0
        with year.open("rb") as lines:
            for line in lines:
                name, key, value = line.rstrip(b"\n").split(b"\t")
                topic = name.decode()
                passed[topic] += 1
                if passed[topic] <= there[topic]:
                    continue
                batch.setdefault(topic, []).append(Outgoing(key, value))
                size += 1
                if size == APPEND:
                    append(server, batch)
                    batch, size = {}, 0
        append(server, batch)
        await_stored(server)
        settle(server.pipeline.periods, server.log)
        await_stored(server)
        print("done", flush=True)
    lock.release()


def await_stored(server: Server) -> None:
    """Return once all that is in the log is applied and stored."""
    while not is_caught_up(server.log):
        server.check()
        pause(0.1)


def append(server: Server, batch: dict[str, list[Outgoing]]) -> None:
    """Append one batch when journeys are not too far behind."""
    while behind(server.log)[0] > BEHIND_MAX:
        server.check()
        pause(0.1)
    for topic, outgoing in batch.items():
        server.log.append(topic, outgoing)


def digest(folder: Path) -> dict[str, Any]:
    """Return every sum and a hash of every credit: equal for equal books."""
    data = DataFolder(folder)
    lock = hold(data, "digest", print)
    with Server(data, LOADED, SystemClock(), print) as server:
        findings = verify(server.store)
        scope = Scope(start=None, end=None, currency="GBP")
        statement = json.loads(
            render_statement(server.reports.statement(scope, ("queue", "channel")), "json")
        )
        result = {
            "findings": [str(finding) for finding in findings],
            "statement": statement,
            "hashes": hashes(server.store),
        }
    lock.release()
    return result


def hashes(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Hash what every order, contact and input offset came to, whatever the path to it was."""
    questions = {
        "credits": "SELECT count() AS n, groupBitXor(cityHash64(order_id, customer_id, net_minor,"
        " unattributed_minor, credit_contact_ids, credits_minor)) AS h FROM v_attributions",
        "contacts": "SELECT count() AS n, groupBitXor(cityHash64(contact_id, cost_minor,"
        " fee_minor, outcome, credit_currencies, credits_minor)) AS h FROM v_contacts",
        "orders": "SELECT count() AS n, groupBitXor(cityHash64(order_id, kind,"
        " net_effect_minor, linked_to)) AS h FROM v_orders",
        "inputs": "SELECT src_topic, sum(applied) AS n_applied, sum(duplicate) AS n_duplicate,"
        " sum(late) AS n_late, sum(dead) AS n_dead FROM v_batch_sources"
        " WHERE src_topic != 'periods'"  # how often the period job ran in between is its own affair
        " GROUP BY src_topic ORDER BY src_topic",
    }
    return {name: store.query(sql) for name, sql in questions.items()}


def main(arguments: list[str]) -> None:
    """Write a year, load it, or say what was loaded."""
    if arguments[0] == "--write":
        write(Path(arguments[1]), int(arguments[2]), int(arguments[3]))
    elif arguments[0] == "--digest":
        print(json.dumps(digest(Path(arguments[1]))))
    else:
        load(Path(arguments[0]), Path(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
    leave(Exit.OK)

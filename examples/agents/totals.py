"""A plain consumer: keeps every order's credit vector, and checks its total against the statement.

    python totals.py follow --brokers broker:9092 --database team.sqlite [--until-end]
    pnl report statement --format json > statement.json
    python totals.py check --database team.sqlite --statement statement.json

The vector of the highest revision is the order's: nothing is added up twice, however often a record
comes. What was read and up to where is written in one transaction, so a crash loses and repeats
nothing. Only committed records are read: `isolation.level` is the whole trick.
"""

import argparse
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

TOPIC = "pnl.attributions.v1"
TABLES = """
CREATE TABLE IF NOT EXISTS vectors (
    order_id TEXT, customer_id TEXT, revision INTEGER, currency TEXT,
    credited_minor INTEGER, unattributed_minor INTEGER, PRIMARY KEY (order_id, customer_id));
CREATE TABLE IF NOT EXISTS places (partition INTEGER PRIMARY KEY, next INTEGER);
"""
UPSERT = """
INSERT INTO vectors VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (order_id, customer_id) DO UPDATE
SET revision = excluded.revision, currency = excluded.currency,
    credited_minor = excluded.credited_minor, unattributed_minor = excluded.unattributed_minor
WHERE excluded.revision > vectors.revision
"""


def opened(path: str) -> sqlite3.Connection:
    """Open the database; its tables are made where there are none."""
    database = sqlite3.connect(path)
    database.executescript(TABLES)
    return database


def row_of(value: bytes) -> tuple[Any, ...]:
    """Return what is kept of a vector; a withdrawn order has earned nothing."""
    vector = json.loads(value)
    credited = sum(credit["credit_minor"] for credit in vector["credits"])
    left = vector["unattributed_minor"]
    assert credited + left == vector["net_minor"], f"{vector['order_id']} does not add up"
    if vector.get("withdrawn"):
        credited = left = 0
    who = vector["order_id"], vector["customer_id"], vector["revision"], vector["currency"]
    return (*who, credited, left)


def follow(database: sqlite3.Connection, brokers: str, prefix: str, until_end: bool) -> int:
    """Keep what comes; return how many records came, once the present end is reached if asked."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"{prefix}team-totals",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    topic = prefix + TOPIC
    known = dict(database.execute("SELECT partition, next FROM places"))
    numbers = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, known.get(number, 0)) for number in numbers])
    seen, ended = 0, set()
    while not (until_end and len(ended) == len(numbers)):
        with database:  # one transaction: rows and places
            for message in consumer.consume(500, timeout=1.0):
                if message.error() is not None:
                    if message.error().name() != "_PARTITION_EOF":
                        raise SystemExit(str(message.error()))
                    ended.add(message.partition())
                    continue
                database.execute(UPSERT, row_of(message.value()))
                place = message.partition(), message.offset() + 1
                database.execute("INSERT OR REPLACE INTO places VALUES (?, ?)", place)
                seen += 1
    consumer.close()
    return seen


def check(database: sqlite3.Connection, statement: dict[str, Any]) -> list[str]:
    """Return what differs from a statement of all time, a sentence each; nothing if all agrees."""
    query = (
        "SELECT total(credited_minor), total(unattributed_minor) FROM vectors WHERE currency = ?"
    )
    credited, unattributed = map(int, database.execute(query, [statement["currency"]]).fetchone())
    bridge = statement["bridge"]
    # Group A, less fees, which no order earned, and what of long terms is still to come.
    booked = bridge["a_minor"] - bridge["fees_minor"] + bridge["deferred_minor"]
    # A refund that finds no order is in no vector: memo M8.
    orphans = sum(memo["amount_minor"] for memo in statement["memo"] if memo["memo"] == "M8")
    pairs = [
        ("credited", credited, booked),
        ("unattributed", unattributed, bridge["unattributed_minor"] - orphans),
    ]
    return [
        f"{name}: ours {ours}, booked {theirs}" for name, ours, theirs in pairs if ours != theirs
    ]


def main() -> int:
    """Follow, or check; 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["follow", "check"])
    parser.add_argument("--database", required=True)
    parser.add_argument("--brokers")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--until-end", action="store_true")
    parser.add_argument("--statement")
    asked = parser.parse_args()
    database = opened(asked.database)
    if asked.what == "follow":
        print(follow(database, asked.brokers, asked.prefix, asked.until_end), "records")
        return 0
    differences = check(database, json.loads(Path(asked.statement).read_text("utf-8")))
    print("\n".join(differences) or "The total is that of the statement.")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())

"""A team's own agent on Faust: what each order has earned, by product class, as it stands now.

It reads `pnl.attributions.v1` and writes `team.earned.v1`, keyed by order: who reads that keeps the
record with the highest revision of each order, as here. So a record that comes twice, which at
least once allows, changes nothing.

    BROKERS=kafka://broker:9092 python earned_agent.py

Two habits of Faust would hurt. It reads records of transactions that were aborted: the three
classes below make it read committed ones. And it takes a record whose handling failed for done:
here the process ends instead, before anything is committed, and reads the record again.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver

TOPIC, RESULT = "pnl.attributions.v1", "team.earned.v1"


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> object:
        consumer = super()._create_consumer(loop)
        assert hasattr(consumer, "_isolation_level"), "a release that reads committed differently"
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - there is no other way
        return consumer


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class _Transport(driver.Transport):
    Consumer = _Consumer


def earned(vector: dict[str, Any]) -> dict[str, Any]:
    """Return an order's net credits by product class; none of an order that was withdrawn."""
    sums: Counter[str] = Counter()
    for credit in vector["credits"]:
        sums[credit["product_class"]] += credit["credit_minor"]
    return {
        "order_id": vector["order_id"],
        "revision": vector["revision"],
        "currency": vector["currency"],
        "earned_minor": {} if vector.get("withdrawn") else dict(sums),
    }


def agent_on(brokers: str, prefix: str, datadir: str) -> faust.App:
    """Return the app; topics lie under a prefix, and are made before it starts."""
    app = faust.App(
        f"{prefix}team-earned",
        broker=brokers,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        topic_allow_declare=False,
        topic_disable_leader=True,
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        autodiscover=False,
        datadir=datadir,
    )
    app.transport = _Transport(app.conf.broker_consumer, app)
    source = app.topic(prefix + TOPIC, key_type=bytes, value_type=bytes)
    result = app.topic(prefix + RESULT, key_type=bytes, value_type=bytes)

    @app.agent(source, concurrency=1)
    async def by_class(stream: faust.StreamT[bytes]) -> None:
        async for value in stream:
            try:
                told = earned(json.loads(value))
                sent = result.send(key=told["order_id"].encode(), value=json.dumps(told).encode())
                await (await sent)  # until the broker has it
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not be committed
                print(f"stopped at {value[:200]!r}: {error!r}", file=sys.stderr)
                os._exit(1)  # nothing is committed: it is read again

    return app


async def main() -> None:
    """Run until somebody ends it."""
    stopping = asyncio.Event()
    for end in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(end, stopping.set)
    with tempfile.TemporaryDirectory() as datadir:
        app = agent_on(os.environ["BROKERS"], os.environ.get("PREFIX", ""), datadir)
        await app.start()
        await stopping.wait()
        await app.stop()


if __name__ == "__main__":
    asyncio.run(main())

"""Touch attribution on the product's own runner: the job that stream processors are compared by.

An order's amount is split evenly over the customer's contacts of the seven days before it. Written
as any processor is: a `Handler` behind `streams.runner.Runner`, on `KafkaLog`, exactly once. Run by
the peers' bench (`make bench-peers PEERS=folder`), which names topics and group in the environment
and checks every credit. With a number as argument, so many processes share the partitions.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from pnl.runtime import tune_collector
from streams.kafka_clients import LibrdkafkaClients, NewTopic
from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.log import Outgoing, Record, StateReader
from streams.runner import Account, Done, Runner

WEEK: Final = timedelta(days=7)
KEEP: Final = 50
WAIT: Final = timedelta(milliseconds=200)


class Contact(msgspec.Struct, tag_field="type", tag="contact", gc=False):
    """What the job needs of a contact."""

    contact_id: str
    channel: str
    started_at: datetime


class Order(msgspec.Struct, tag_field="type", tag="order", gc=False):
    """What the job needs of an order; `ordered_at` is passed on as it was written."""

    order_id: str
    amount_minor: int
    ordered_at: str


class Credit(msgspec.Struct, gc=False):
    """One contact's share of an order."""

    order_id: str
    contact_id: str | None
    channel: str | None
    credit_minor: int
    ordered_at: str


class Touch(msgspec.Struct, array_like=True, gc=False):
    """A contact that may still earn credit, and the line that its state is written as."""

    at: datetime
    contact_id: str
    channel: str


_decode: Final = msgspec.json.Decoder(Contact | Order).decode
_encode: Final = msgspec.json.Encoder().encode
_thaw: Final = msgspec.json.Decoder(Touch).decode_lines


class Customer:
    """A customer's touches, oldest first, each beside the line that it is written as.

    A line is written once, so what a batch changes costs a join and no encoding of the old.
    """

    __slots__ = ("lines", "touches")

    def __init__(self, state: bytes = b"") -> None:
        self.touches: list[Touch] = _thaw(state)
        self.lines: list[bytes] = state.split(b"\n") if state else []

    def remember(self, contact: Contact) -> None:
        """Append a contact, forget what is too old or too much."""
        at = contact.started_at
        touches = self.touches
        touch = Touch(at, contact.contact_id, contact.channel)
        touches.append(touch)
        self.lines.append(_encode(touch))
        first = 0
        since = at - WEEK
        while touches[first].at < since:
            first += 1
        first = max(first, len(touches) - KEEP)
        if first:
            del touches[:first]
            del self.lines[:first]

    def credits_of(self, order: Order) -> list[Credit]:
        """Split an order evenly, spare minor units to the earliest."""
        since = datetime.fromisoformat(order.ordered_at) - WEEK
        hit = [touch for touch in self.touches if touch.at >= since]
        order_id, at = order.order_id, order.ordered_at
        if not hit:
            return [Credit(order_id, None, None, order.amount_minor, at)]
        share, spare = divmod(order.amount_minor, len(hit))
        return [
            Credit(order_id, touch.contact_id, touch.channel, share + (n < spare), at)
            for n, touch in enumerate(hit)
        ]


class TouchHandler:
    """The job behind the runner: customers decoded in memory, by partition."""

    def __init__(self, credits_topic: str) -> None:
        self._topic = credits_topic
        self._customers: dict[int, dict[bytes, Customer]] = {}
        self._changed: dict[int, dict[bytes, Customer]] = {}
        self._outputs: dict[int, list[Outgoing]] = {}

    def open(self, state: StateReader) -> None:
        """Take the committed state to read from."""
        self._state = state
        self._customers.clear()
        self.drop()

    def process(
        self, partition: int, records: Sequence[Record], batch_id: str
    ) -> list[tuple[int, Done]]:
        """Remember contacts, split orders; all of them are applied."""
        customers = self._customers.get(partition)
        if customers is None:
            loaded = self._state.load(partition, b"")
            customers = {key: Customer(value) for key, value in loaded}
            self._customers[partition] = customers
        changed: dict[bytes, Customer] = {}
        outputs: list[Outgoing] = []
        for _, _, _, _, key, value, _ in records:
            assert key is not None
            assert value is not None
            fact = _decode(value)
            customer = customers.get(key)
            if customer is None:
                customer = customers[key] = Customer()
            if type(fact) is Contact:
                customer.remember(fact)
                changed[key] = customer
            else:
                outputs += [Outgoing(key, _encode(made)) for made in customer.credits_of(fact)]
        self._changed[partition] = changed
        self._outputs[partition] = outputs
        return []

    def outputs(self, partition: int) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Return the credits."""
        return [(self._topic, self._outputs[partition])]

    def changes(self, partition: int) -> list[tuple[bytes, bytes | None]]:
        """Return the touches of every customer with a new contact."""
        join = b"\n".join
        return [(key, join(customer.lines)) for key, customer in self._changed[partition].items()]

    def records_of(self, account: Account) -> Iterable[tuple[str, Sequence[Outgoing]]]:
        """Return nothing: the job has no batch records."""
        return ()

    def promote(self) -> None:
        """Let the changes stand: customers were changed in place."""
        self._changed.clear()
        self._outputs.clear()

    def drop(self) -> None:
        """Forget customers that a lost batch changed."""
        for partition in self._changed:
            self._customers.pop(partition, None)
        self._changed.clear()
        self._outputs.clear()


def work(slot: int) -> None:
    """Run one worker until it is told to stop."""
    events, group = os.environ["BENCH_EVENTS"], os.environ["BENCH_APP_ID"]
    bootstrap = os.environ["BENCH_BOOTSTRAP"]
    settings = KafkaSettings(
        client={"bootstrap.servers": bootstrap}, slot=str(slot), states={group: f"{group}-touches"}
    )
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    tune_collector()
    log = KafkaLog(settings)
    handler = TouchHandler(os.environ["BENCH_CREDITS"])
    runner = Runner(log.consumer(group, [events]), handler, epoch=1, code_version="bench")
    while not stopping:
        runner.step(WAIT)
    log.close()


def main() -> None:
    """Create the topic of the state, then work."""
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    bootstrap = {"bootstrap.servers": os.environ["BENCH_BOOTSTRAP"]}
    admin = LibrdkafkaClients().admin(bootstrap)
    count = len(
        admin.list_topics(os.environ["BENCH_EVENTS"]).topics[os.environ["BENCH_EVENTS"]].partitions
    )
    name = f"{os.environ['BENCH_APP_ID']}-touches"
    admin.create_topics([NewTopic(name, count, 1, config={"cleanup.policy": "compact"})])[
        name
    ].result()
    if workers == 1:
        work(0)
        return
    context = multiprocessing.get_context("spawn")
    crew = [context.Process(target=work, args=(slot,)) for slot in range(workers)]
    for worker in crew:
        worker.start()
    for worker in crew:
        worker.join()


if __name__ == "__main__":
    main()

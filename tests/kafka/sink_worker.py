"""A sink as fault tests run it: a process with short timeouts that breaks where told.

python -m tests.kafka.sink_worker BOOTSTRAP PREFIX SLOT DSN DATABASE

Works until SIGTERM, or until the process that started it is gone. `PNL_FAILPOINTS` arms it.
"""

import os
import signal
import sys
from datetime import timedelta

from pnl.cli.ending import ending, leave
from pnl.errors import Exit
from sinks.sink import Sink
from sinks.store import Store
from streams.clock import pause
from streams.kafka_log import KafkaLog
from streams.log import Busy
from tests.kafka.worker import TRANSACTION, WAIT, say, settings


def work(bootstrap: str, prefix: str, slot: str, dsn: str, database: str) -> None:
    """Copy until told to end."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    parent = os.getppid()
    log = KafkaLog(settings(bootstrap, prefix, slot, {}, TRANSACTION))
    store = Store.open(dsn, database)
    sink = Sink(log, store, linger=timedelta(milliseconds=20))
    while not stopping and os.getppid() == parent:
        try:
            sink.step(WAIT)
        except Busy as busy:
            say(f"busy: {busy}")
            pause(0.02)
    sink.close()
    log.close()


def main(arguments: list[str]) -> int:
    """Work, and return how it ended."""
    try:
        work(*arguments)
    except Exception as error:  # noqa: BLE001 - every end has its exit code
        sentence, code = ending(error)
        say(sentence)
        return int(code)
    return int(Exit.OK)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))

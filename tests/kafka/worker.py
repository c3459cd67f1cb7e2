"""A journeys worker as fault tests run it: a process with short timeouts that breaks where told.

python -m tests.kafka.worker BOOTSTRAP PREFIX SLOT [name=value ...]

It ends with the exit codes of the product, prints nothing, and says on standard error what a person
should know. `PNL_FAILPOINTS` arms its failpoints; it ends with the process that started it.
"""

import os
import signal
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pnl.cli.ending import ending
from pnl.engine import JourneysWorker
from pnl.errors import Exit
from streams.clock import pause
from streams.kafka_log import KafkaLog
from streams.kafka_settings import KafkaSettings
from streams.log import Busy
from streams.topics import STATES
from tests.kafka.load import POLICY

QUICK: Final[Mapping[str, str]] = {
    "session.timeout.ms": "2000",
    "heartbeat.interval.ms": "300",
    "max.poll.interval.ms": "6000",
    "log_level": "0",
}
"""A worker that stops is given up after two seconds."""
TRANSACTION: Final = timedelta(seconds=4)
RECORDS_MAX: Final = 100
WAIT: Final = timedelta(milliseconds=200)
NOT_CLIENT: Final = ("records_max", "busy_pause", "transaction_ms")


def settings(
    bootstrap: str, prefix: str, slot: str, client: Mapping[str, str], transaction: timedelta
) -> KafkaSettings:
    """Return the settings of one worker."""
    return KafkaSettings(
        client={**QUICK, "bootstrap.servers": bootstrap, **client},
        slot=slot,
        prefix=prefix,
        states=STATES,
        transaction_timeout=transaction,
        said=say,
    )


def say(sentence: str) -> None:
    """Tell a person."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def work(bootstrap: str, prefix: str, slot: str, options: Mapping[str, str]) -> None:
    """Work until SIGTERM, or until the process that started this one is gone."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    parent = os.getppid()
    client = {name: value for name, value in options.items() if name not in NOT_CLIENT}
    limit = timedelta(milliseconds=int(options.get("transaction_ms", "4000")))
    log = KafkaLog(settings(bootstrap, prefix, slot, client, limit))
    records_max = int(options.get("records_max", RECORDS_MAX))
    worker = JourneysWorker(log, POLICY, code_version="test", records_max=records_max)
    while not stopping and os.getppid() == parent:
        try:
            worker.step(WAIT)
        except Busy as busy:
            say(f"busy: {busy}")
            pause(0.02)
    worker.close()
    log.close()


def main(arguments: list[str]) -> int:
    """Work, and return how it ended."""
    bootstrap, prefix, slot, *options = arguments
    try:
        work(bootstrap, prefix, slot, dict(option.split("=", 1) for option in options))
    except Exception as error:  # noqa: BLE001 - every end has its exit code
        sentence, code = ending(error)
        say(sentence)
        return int(code)
    return int(Exit.OK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

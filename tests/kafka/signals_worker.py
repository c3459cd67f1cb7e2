"""A worker of signals on Faust as fault tests run it: the tally, with short timeouts.

python -m tests.kafka.signals_worker BOOTSTRAP PREFIX

It ends with the exit codes of the product, and with the process that started it. On standard
output it says how often it has ticked and which partitions it owns, whenever that changes.
"""

import os
import signal
import sys
from datetime import timedelta

from prometheus_client import CollectorRegistry

from pnl.cli.ending import ending
from pnl.errors import Exit
from pnl.metrics import Metrics
from pnl.workers.signals_faust import FaustSignalsRole, faust_settings
from streams.clock import SystemClock
from streams.faust_host import FaustHost
from streams.kafka_log import KafkaLog
from streams.log import Busy
from tests.kafka.places import settings
from tests.support.signal_host_contract import TOPICS, Tally

WAIT = timedelta(milliseconds=50)
EVERY = timedelta(milliseconds=200)


def work(bootstrap: str, prefix: str) -> None:
    """Work until SIGTERM, or until the process that started this one is gone."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    parent = os.getppid()
    kafka = settings(bootstrap, prefix, session_timeout_ms="2000", heartbeat_interval_ms="300")
    log = KafkaLog(kafka)
    metrics = Metrics(CollectorRegistry())
    told = faust_settings(kafka, log.partitions, "test", TOPICS)
    host = FaustHost(told, Tally(), log.read, metrics.registry)
    role = FaustSignalsRole(log, host, metrics, SystemClock(), topics=TOPICS, every=EVERY)
    said = ""
    while not stopping and os.getppid() == parent:
        try:
            role.step(WAIT)
        except Busy:
            continue
        owned = sorted({place.partition for place in role.positions()})
        now = f"{host.ticks} {owned if host.is_ready else []}"
        if now != said:
            sys.stdout.write(f"{now}\n")
            sys.stdout.flush()
            said = now
    role.close()
    log.close()


def main(arguments: list[str]) -> int:
    """Work, and return how it ended."""
    try:
        work(*arguments)
    except Exception as error:  # noqa: BLE001 - every end has its exit code
        sentence, code = ending(error)
        sys.stderr.write(f"{sentence}\n")
        return int(code)
    return int(Exit.OK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`make kafka`: one broker for development, in the foreground, whose data stays."""

import argparse
import signal
import sys
from pathlib import Path
from threading import Event

from tests.support.kafka_broker import HEAP_MB, Cluster, Ports, is_free, missing

FOLDER = Path(".kafka")


def main() -> None:
    """Run the broker until Ctrl-C, or until it ends by itself."""
    arguments = argparse.ArgumentParser(description="one Kafka broker for development")
    arguments.add_argument("--port", type=int, default=9092, help="for clients; the next two too")
    arguments.add_argument("--folder", type=Path, default=FOLDER, help="of its data and its log")
    given = arguments.parse_args()
    port = given.port
    if (reason := missing()) is not None:
        sys.exit(reason)
    if taken := [each for each in (port, port + 1, port + 2) if not is_free(each)]:
        sys.exit(f"Port {taken[0]} is taken: does another Kafka run? make kafka PORT=19092")
    ports = Ports(client=port, controller=port + 1, behind=port + 2, proxy=port + 3)
    cluster = Cluster(given.folder, ports=[ports], quick=False)
    broker = cluster.brokers[0]
    stop = Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: stop.set())
    cluster.start()
    print(f"Kafka is up: bootstrap.servers={broker.bootstrap} (one node, {HEAP_MB[1]} MB heap).")
    print(f"Data and log stay in {broker.folder}. Ctrl-C stops it.", flush=True)
    while broker.running and not stop.wait(0.5):
        pass
    if not stop.is_set():
        sys.exit(f"Kafka ended by itself: see {broker.log}")
    cluster.stop()
    print("Kafka is stopped.")


if __name__ == "__main__":
    main()

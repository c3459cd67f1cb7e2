"""Serves the page over a small real store, for a browser: `python -m tests.browser.serve FOLDER`.

Prints the address when it is up. Each line `sale` on standard input brings one more contact with
a sale into the books, the way all facts come; end of input ends the process.
"""

import socket
import sys
import threading
from functools import partial
from pathlib import Path

import uvicorn

from pnl.cli.ending import leave
from pnl.console.app import build
from pnl.console.settings import ConsoleSettings
from pnl.errors import Exit
from pnl.reports.queries import Reports
from processors.policy import Policy
from sinks.store import Store
from streams import topics
from streams.clock import ManualClock
from streams.facts import Fact
from streams.log import Outgoing
from streams.memory_log import MemoryLog, MemoryPlace
from tests.browser.alerted import Alerted
from tests.browser.centre import DAYS, MORNING, facts, one_more_sale, unreadable
from tests.browser.watched import watched
from tests.support.facts import DAY
from tests.support.stored import append, copy, journey


def main(folder: str) -> None:
    """Fill the store, serve until standard input ends."""
    store = Store.open(f"chdb://{Path(folder).resolve()}")
    store.migrate()
    policy, clock = Policy(), ManualClock(MORNING + DAYS * DAY)
    log = MemoryLog(MemoryPlace(clock))
    log.append(topics.CONTACTS, [Outgoing(b"c-dead", unreadable())])
    bring(log, store, policy, facts())
    watched(log, store)
    alerted = Alerted(log, store)
    bound = socket.create_server(("127.0.0.1", 0))
    clears = {"overload": "It clears after 2 windows with waits and outcomes as usual."}
    settings = ConsoleSettings(port=bound.getsockname()[1], clears=clears)
    reports = Reports(store, policy, clock, log)
    app = build(reports, settings, clock=clock, answering=partial(alerted.answered, reports, clock))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    threading.Thread(target=listen, args=(log, store, policy, server), daemon=True).start()
    print(settings.address, flush=True)
    server.run(sockets=[bound])


def bring(log: MemoryLog, store: Store, policy: Policy, more: list[Fact]) -> None:
    """Take facts through journeys into the store."""
    append(log, more)
    journey(log, policy)
    copy(log, store)


def listen(log: MemoryLog, store: Store, policy: Policy, server: uvicorn.Server) -> None:
    """Bring a sale for each line that says so."""
    for number, line in enumerate(sys.stdin):
        if line.strip() == "sale":
            bring(log, store, policy, one_more_sale(number))
    server.should_exit = True


if __name__ == "__main__":
    main(sys.argv[1])
    leave(Exit.OK)

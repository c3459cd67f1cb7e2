"""`pnl worker`: one role, in this process or in several under a supervisor."""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final

import typer

from pnl.cli.paging import is_over, serve_page
from pnl.cli.sentences import warn
from pnl.cli.topics import on_kafka
from pnl.datafolder import DataFolder
from pnl.health import listen
from pnl.metrics import Metrics, process_metrics
from pnl.runtime import tune_allocator, tune_collector
from pnl.settings import Settings
from pnl.settings_load import load
from pnl.workers.console import ConsoleServer
from pnl.workers.making import Maker
from pnl.workers.process import Role, Stopping, answering, work
from pnl.workers.supervisor import Command, Supervisor, inherited
from streams.clock import SystemClock

PORTS: Final = {
    "journeys": 9101,
    "sink": 9102,
    "auditor": 9103,
    "periods": 9104,
    "signals": 9105,
    "alerts": 9106,
}
"""Where a role answers unless the settings say otherwise: different ones on one machine."""
PROGRAM: Final = (sys.executable, "-c", "from pnl.cli import main; main()")


def run_worker(
    role: str,
    data: Path,
    processes: int,
    slot: str | None,
    port: int | None,
    descriptor: int | None,
    route: str | None = None,
) -> None:
    """Run the role until SIGTERM or Ctrl-C; raises what ends it otherwise."""
    settings = _begin(data)
    stopping = Stopping(timedelta(seconds=settings.worker.stop_seconds))
    stopping.on_signals()
    wanted = port if port is not None else settings.worker.port
    wanted = PORTS[role] if wanted is None else wanted
    bound = None if descriptor is None else inherited(descriptor)
    if bound is None and wanted:
        bound = listen(settings.worker.host, wanted)
    first = slot or settings.log.slot
    if processes > 1:
        slots = [f"{first or _host()}-{number}" for number in range(processes)]
        command = _command(role, data)
        supervisor = Supervisor(
            slots, command, stopping, warn, timedelta(seconds=settings.worker.stop_seconds)
        )
        with answering(bound, supervisor.health(), supervisor.text):
            code = supervisor.run()
        if code:
            raise typer.Exit(code)
        return
    tune_collector()
    tune_allocator()
    maker = Maker(DataFolder(data), settings, SystemClock(), first, route)
    makes: dict[str, Callable[[ExitStack, Metrics], Role]] = {
        "journeys": maker.journeys,
        "sink": maker.sink,
        "auditor": maker.auditor,
        "periods": maker.periods,
        "signals": maker.signals,
        "alerts": maker.alerts,
    }
    work(
        role,
        makes[role],
        metrics=process_metrics(),
        stopping=stopping,
        bound=bound,
        supervisor=None if descriptor is None else os.getppid(),
    )


def run_console(data: Path, port: int | None) -> None:
    """Serve the page until SIGTERM or Ctrl-C."""
    settings = _begin(data)
    stopping = Stopping(timedelta(seconds=settings.worker.stop_seconds))
    stopping.on_signals()
    with (
        ConsoleServer(DataFolder(data), load(data), SystemClock(), stopping) as server,
        serve_page(server, port or settings.server.port, typer.echo),
    ):
        while not is_over(stopping):
            pass
    server.check()


def _begin(data: Path) -> Settings:
    return on_kafka(data)


def _command(role: str, data: Path) -> Command:
    def command(slot: str, descriptor: int) -> Sequence[str]:
        own = ("--slot", slot, "--descriptor", str(descriptor))
        return (*PROGRAM, "worker", role, "--data", str(data), *own)

    return command


def _host() -> str:
    return socket.gethostname()

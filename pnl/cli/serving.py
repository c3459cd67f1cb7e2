"""`pnl run` and `pnl demo`: a server in the foreground, until Ctrl-C."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import typer

from pnl import logs
from pnl.cli.paging import STOP_SECONDS_MAX, is_over, serve_page
from pnl.cli.progress import Progress
from pnl.cli.sentences import warn
from pnl.datafolder import DataFolder
from pnl.demo import Feeder, OtherDemo, Pace, parse_speed
from pnl.demo_progress import BesideTheLog, InTheLog, Keeper
from pnl.errors import Interrupted
from pnl.importing import DEMO_CHURN, DEMO_SETTINGS, example
from pnl.pipeline import is_caught_up
from pnl.reports.model import Scope
from pnl.server import Server, hold
from pnl.settings_load import Loaded, load, settings_file
from streams.clock import SystemClock
from streams.sqlite_log import SqliteLog
from streams.topics import SOURCE_NAMES


def run_server(data: Path, port: int | None) -> None:
    """Serve the page and apply what is imported, until Ctrl-C."""
    logs.configure()
    folder, loaded = DataFolder(data), load(data)
    folder.prepare()
    with (
        hold(folder, "pnl run", warn),
        _ended_by_hand(),
        Server(folder, loaded, SystemClock(), warn) as server,
        serve_page(server, port, typer.echo),
    ):
        _until_stopped(server)


def run_demo(
    data: Path, speed: str, seed: int, port: int | None, *, until_loaded: bool, page: bool
) -> None:
    """Replay the demo into the data folder and serve it, until Ctrl-C or until all is stored."""
    logs.configure()
    pace, folder, clock = Pace(parse_speed(speed)), DataFolder(data), SystemClock()
    folder.prepare()
    loaded = _demo_settings(folder)
    say: Callable[[str], None] = warn if until_loaded else typer.echo
    started_ms = clock.now_ms()
    with (
        hold(folder, "pnl demo", warn),
        nullcontext() if until_loaded else _ended_by_hand(),
        Server(folder, loaded, clock, warn) as server,
        closing(Feeder(_keeper(server), seed, pace, clock)) as feeder,
        serve_page(server, port, say) if page else _no_page(server),
        _feeding(server, feeder, must_load=until_loaded),
    ):
        if until_loaded:
            _until_loaded(server, feeder)
            summary = _summary(server, feeder, clock.now_ms() - started_ms)
            typer.echo(json.dumps(summary))
        else:
            _until_stopped(server)


def _keeper(server: Server) -> Keeper:
    """Return what keeps how far the demo came, and where."""
    if isinstance(server.log, SqliteLog):
        return InTheLog(server.log)
    log = server.loaded.settings.log
    place = {"bootstrap.servers": log.revealed("bootstrap.servers"), "prefix": log.prefix}
    place["epoch"] = str(server.log.epoch)
    return BesideTheLog(server.log, server.folder.path / "demo.json", place)


def _demo_settings(folder: DataFolder) -> Loaded:
    """Give a folder without settings those of the demo, and the model fitted on its first half."""
    if settings_file(folder.path, Path()) is None:
        shutil.copyfile(example(DEMO_SETTINGS), folder.path / "pnl.toml")
        if not folder.churn.exists():
            shutil.copyfile(example(DEMO_CHURN), folder.churn)
    return load(folder.path)


@contextmanager
def _no_page(server: Server) -> Iterator[None]:
    server.start()
    yield


@contextmanager
def _feeding(server: Server, feeder: Feeder, *, must_load: bool) -> Iterator[None]:
    """Append the demo's events meanwhile, in a thread."""

    def feed() -> None:
        try:
            feeder.run(server.pipeline.stopping)
        except OtherDemo as other:
            if must_load:
                server.pipeline.fail(other)
            else:  # what is there can still be looked at
                warn(str(other))
        except BaseException as error:  # noqa: BLE001 - kept, and the process ends with it
            server.pipeline.fail(error)

    thread = threading.Thread(target=feed, name="demo", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.pipeline.stopping.set()
        thread.join(timeout=STOP_SECONDS_MAX)


@contextmanager
def _ended_by_hand() -> Iterator[None]:
    """Take Ctrl-C for a good end, at whatever moment: it is how a server ends."""
    try:
        yield
    except KeyboardInterrupt:
        return


def _until_stopped(server: Server) -> None:
    """Wait for Ctrl-C or a fault."""
    while not is_over(server.stopping):
        pass
    server.check()


def _until_loaded(server: Server, feeder: Feeder) -> None:
    """Wait until all of the demo is appended, applied and stored."""
    with Progress() as progress:
        try:
            while not (feeder.done and is_caught_up(server.log)):
                if is_over(server.stopping):
                    server.check()
                progress.show(f"{feeder.progress.appended:,} events appended")
        except KeyboardInterrupt:
            raise Interrupted(
                "Stopped before all was loaded. Nothing is lost: the same command goes on."
            ) from None


def _summary(server: Server, feeder: Feeder, took_ms: int) -> dict[str, Any]:
    """Return what was loaded, in numbers straight from the store."""
    scope = Scope(currency=server.policy.currency)
    statement = server.reports.statement(scope)
    quality = server.reports.quality(scope)
    booked = statement.reconciliation
    return {
        "events": feeder.progress.appended,
        "topics": {
            each.topic: {
                "read": each.read,
                "applied": each.applied,
                "duplicate": each.duplicate,
                "late": each.late,
                "dead_lettered": each.dead,
            }
            for each in quality.topics
            if each.topic in SOURCE_NAMES
        },
        "currency": scope.currency,
        "reconciliation": {
            "orders_minor": booked.orders_minor,
            "refunds_minor": booked.refunds_minor,
            "adjustments_minor": booked.adjustments_minor,
            "net_minor": booked.net_minor,
        },
        "totals": {each.total: each.amount_minor for each in statement.totals},
        "as_of_ms": statement.as_of,
        "seconds": took_ms / 1000,
    }

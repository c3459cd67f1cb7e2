"""`pnl resume`, `pnl repair` and `pnl rebuild`: what a person does after an alarm."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import typer

from pnl.answers import resumed
from pnl.auditor.notices import resume
from pnl.cli.asking import run_question
from pnl.cli.sentences import warn
from pnl.cli.topics import on_kafka
from pnl.datafolder import DataFolder
from pnl.opening import Log, is_on_kafka, open_kafka, open_log, server_dsn
from pnl.repairing.repair import render, repair
from pnl.repairing.state import repair_state
from pnl.server import hold
from pnl.settings_load import load
from pnl.version import code_version
from sinks.rebuild import RebuildStopped, rebuild
from sinks.store import Store
from streams.clock import SystemClock

SLOT: Final = "repair"
DIFFERENCES_SHOWN: Final = 20


def run_resume(data: Path, reason: str) -> None:
    """Let the sink go on after an alarm of the auditor; the reason is kept."""
    if not is_on_kafka(load(data).settings):
        run_question(data, "resume", {"reason": reason}, apply=False)
        return
    with closing(open_kafka(on_kafka(data))) as log:
        halted = resume(log, reason, SystemClock().now_ms())
    typer.echo(resumed(halted))


def run_repair(data: Path, reason: str, *, accept: bool) -> None:
    """Show what is torn, and with `accept` make it good; exit 1 if something is left."""
    settings = load(data).settings
    with ExitStack() as opened:
        if is_on_kafka(settings):
            log: Log = open_kafka(on_kafka(data), slot=SLOT)
        else:
            folder = DataFolder(data)
            folder.check()
            opened.enter_context(hold(folder, "pnl repair", warn))
            log = open_log(folder, settings, SystemClock())
        opened.callback(log.close)
        done = repair(
            log,
            settings.policies,
            SystemClock(),
            reason=reason,
            code_version=code_version(),
            accept=accept,
        )
    typer.echo(render(done))
    if not done.is_clean and not done.written:
        raise typer.Exit(1)


def run_repair_state(data: Path, reason: str, *, rebuild: bool) -> None:
    """Bring state and offsets together, and say what was done."""
    settings = on_kafka(data)
    with closing(open_kafka(settings, slot=SLOT, repairing=True)) as log:
        said = repair_state(
            log,
            settings.policies,
            SystemClock(),
            reason=reason,
            code_version=code_version(),
            rebuild=rebuild,
        )
    for sentence in said or ["State and offsets agree."]:
        typer.echo(sentence)


def run_rebuild(data: Path, *, accept_differences: bool) -> None:
    """Fill the store anew; exit 1 if it stays as it was, after saying why."""
    settings = on_kafka(data)
    with (
        closing(open_kafka(settings, reading=True)) as log,
        closing(Store.open(server_dsn(DataFolder(data), settings))) as store,
    ):
        try:
            done = rebuild(log, store, accept_differences=accept_differences)
        except RebuildStopped as stopped:
            for finding in stopped.findings:
                warn(f"{finding.law_id} {finding.title}: {finding.rows[:1]}")
            for each in stopped.differences[:DIFFERENCES_SHOWN]:
                warn(f"{each}")
            warn(f"The store stays as it was: {stopped}.")
            raise typer.Exit(1) from None
    typer.echo(
        f"{done.records:,} records stored anew; {len(done.differences)} totals are others now."
    )

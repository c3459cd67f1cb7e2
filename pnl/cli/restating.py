"""`pnl restate`: what new rules would have booked, and the consent to book it."""

import sys
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from pnl.cli.options import DATA_DEFAULT, Data, Format, Shown
from pnl.errors import UserError


def restate(
    since: Annotated[
        str,
        typer.Option("--from", metavar="DATE", help="From which local date on, or `beginning`."),
    ],
    data: Data = DATA_DEFAULT,
    *,
    accept: Annotated[
        bool, typer.Option("--accept", help="Book the difference; else it is only shown.")
    ] = False,
    shown: Shown = Format.TABLE,
    currency: Annotated[
        str | None,
        typer.Option(metavar="CODE", help="The currency of a parquet or xlsx file."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file [standard output].")
    ] = None,
) -> None:
    """Show what the rules in pnl.toml change in what is booked, and with --accept book it.

    Works every customer out by the new rules. Stop `pnl run`, or all workers of journeys, first.
    Nothing is overwritten: what is wrong now is taken back and booked anew, and stays visible as
    a restatement of its months. Killed and run again it goes on where it was.
    """
    run_restate(data, since, accept=accept, shown=shown, currency=currency, out=out)


def run_restate(
    data: Path,
    since: str,
    *,
    accept: bool,
    shown: Format,
    currency: str | None = None,
    out: Path | None = None,
) -> None:
    """Restate, and print a sheet for each currency, or write one to a file."""
    from pnl.cli.asking import BINARY, write_file
    from pnl.cli.mending import SLOT
    from pnl.cli.progress import Progress
    from pnl.cli.sentences import warn
    from pnl.cli.topics import on_kafka
    from pnl.datafolder import DataFolder
    from pnl.opening import Log, is_on_kafka, open_kafka, open_log
    from pnl.restating.restate import restate as work_out
    from pnl.restating.told import file_of, render
    from pnl.server import hold
    from pnl.settings_load import load
    from pnl.version import code_version
    from streams.clock import SystemClock

    if accept and shown in BINARY:
        raise UserError(f"A {shown} file shows what would change: write it without --accept.")
    if out is None and shown in BINARY and sys.stdout.isatty():
        raise UserError(f"A terminal cannot show {shown}: name a file with --out FILE.")
    settings = load(data).settings
    book = settings.policies
    moment = moment_of(since, book.first.timezone)
    with ExitStack() as opened:
        if is_on_kafka(settings):
            log: Log = open_kafka(on_kafka(data), slot=SLOT)
        else:
            folder = DataFolder(data)
            folder.check()
            opened.enter_context(hold(folder, "pnl restate", warn))
            log = open_log(folder, settings, SystemClock())
        opened.callback(log.close)
        progress = opened.enter_context(Progress())
        done = work_out(
            log,
            book,
            SystemClock(),
            since=moment,
            accept=accept,
            code_version=code_version(),
            show=progress.show,
        )
        if done.written and not is_on_kafka(settings):
            DataFolder(data).record_policy(book.version)
        progress.clear()
    if shown is Format.PARQUET or shown is Format.XLSX:
        content = file_of(done, "xlsx" if shown is Format.XLSX else "parquet", currency)
    else:
        content = (render(done, shown.value) + "\n").encode()
    if out is not None:
        write_file(out, content)
    else:
        sys.stdout.buffer.write(content)


def moment_of(text: str, timezone: str) -> int:
    """Return the first instant of a local date. UserError for what is none."""
    from zoneinfo import ZoneInfo

    from pnl.restating.differences import FROM_BEGINNING
    from processors.days import first_instant
    from processors.policy import BEGINNING

    if text == FROM_BEGINNING:
        return BEGINNING
    try:
        return first_instant(date.fromisoformat(text).isoformat(), ZoneInfo(timezone))
    except ValueError:
        raise UserError(
            f"--from {text!r} is no date such as 2026-04-01, nor `{FROM_BEGINNING}`."
        ) from None

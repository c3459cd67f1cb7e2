"""`pnl report`, `explain`, `verify`, `doctor`: questions, asked of whoever holds the folder."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from pnl import findings, logs
from pnl.cli.progress import Progress
from pnl.cli.sentences import warn
from pnl.control import Answer, ask
from pnl.datafolder import DataFolder
from pnl.delivering.checks import asked_of, route_findings
from pnl.errors import UserError
from pnl.findings import Finding
from pnl.machine_checks import machine_findings
from pnl.opening import is_on_kafka, is_shared
from pnl.settings_alerts import load_alerts
from pnl.settings_load import Loaded, load
from streams.clock import SystemClock, pause

if TYPE_CHECKING:
    from pnl.server import Server

POLL_SECONDS: Final = 0.05
WRITING: Final = frozenset({"verify", "close"})
"""Questions that need journeys and sink at work, whatever is in the log."""
ASKING_ALERTS: Final = frozenset({"alerts_list", "alerts_why", "alerts_answer"})
"""Questions that need what was told of alerts, and answered to them, in the store."""
BINARY: Final = ("parquet", "xlsx")
"""Formats that no terminal shows."""


def run_question(
    data: Path, op: str, args: Mapping[str, Any], *, apply: bool = True, out: Path | None = None
) -> None:
    """Print the answer, or write it to `out`; exit 1 if it says that a check failed."""
    if out is None and args.get("format") in BINARY and sys.stdout.isatty():
        raise UserError(f"A terminal cannot show {args['format']}: name a file with --out FILE.")
    folder = DataFolder(data)
    loaded = load(data)
    if not is_shared(loaded.settings):
        folder.check()
    answer = _answer(folder, loaded, op, args, apply=apply)
    if out is not None:
        write_file(out, answer.content or (answer.text + "\n").encode())
    elif answer.content:
        sys.stdout.buffer.write(answer.content)
    else:
        typer.echo(answer.text)
    if answer.failed:
        raise typer.Exit(1)


def write_file(path: Path, content: bytes) -> None:
    """Write a whole file or nothing of it; UserError where it cannot be."""
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from None


def run_doctor(data: Path, *, as_json: bool) -> None:
    """Look at everything there is to look at; exit 1 if something is broken."""
    folder, loaded = DataFolder(data), load(data)
    found = machine_findings(folder, loaded, SystemClock())
    found += route_findings(load_alerts(folder.path, loaded.settings.reporting.timezone).routes)
    if is_on_kafka(loaded.settings):
        from pnl.kafka_checks import kafka_findings

        logs.configure()
        found += kafka_findings(loaded.settings, SystemClock())
    silent = any(each.check == "cluster" for each in found)
    if not silent and (is_shared(loaded.settings) or folder.marker.is_file()):
        found += _inside(folder, loaded)
    if as_json:
        typer.echo(json.dumps([findings.as_json(each) for each in found], indent=2))
    else:
        typer.echo(findings.render(found))
    if findings.failed(found):
        raise typer.Exit(1)


def _inside(folder: DataFolder, loaded: Loaded) -> list[Finding]:
    """Return what is found inside the folder, or why it cannot be opened."""
    from pnl.cli.ending import ending

    try:
        routes = load_alerts(folder.path, loaded.settings.reporting.timezone).routes
        asked = {"routes": asked_of(routes)}
        answer = _answer(folder, loaded, "doctor", asked, apply=False)
    except Exception as error:  # noqa: BLE001 - whatever keeps it shut is the finding
        sentence, _ = ending(error)
        return [
            Finding(
                check="data",
                state="fail",
                text=sentence,
                todo="put this right and run `pnl doctor` again",
            )
        ]
    return [Finding(**each) for each in json.loads(answer.text)]


def _answer(
    folder: DataFolder,
    loaded: Loaded,
    op: str,
    args: Mapping[str, Any],
    *,
    apply: bool = True,
) -> Answer:
    """Ask the process that holds the folder; where there is none, open the folder.

    What is in the log and not in the figures is applied first (`apply`): a figure is never of
    less than what was imported.
    """
    from pnl.server import hold_or_ask

    answer = ask(folder.socket, op, args)
    if answer is not None:
        return answer
    if is_shared(loaded.settings):
        return _on_cluster(folder, loaded, op, args)
    with Progress() as progress:
        held = hold_or_ask(folder, f"pnl {op}", lambda: ask(folder.socket, op, args), progress.show)
        if isinstance(held, Answer):
            return held
        with held:
            return _opened(folder, loaded, op, args, apply=apply, progress=progress)


def _on_cluster(folder: DataFolder, loaded: Loaded, op: str, args: Mapping[str, Any]) -> Answer:
    """Answer from log and store of a cluster: whoever works there goes on."""
    from pnl.answers import answer
    from pnl.shared import shared

    logs.configure()
    with shared(folder, loaded.settings, SystemClock()) as books:
        return answer(op, args, books, books.reports)


def _opened(
    folder: DataFolder,
    loaded: Loaded,
    op: str,
    args: Mapping[str, Any],
    *,
    apply: bool,
    progress: Progress,
) -> Answer:
    """Answer from the folder itself; its hold is ours."""
    from pnl.auditor.notices import Notices
    from pnl.server import Server

    with Server(folder, loaded, SystemClock(), warn) as server:
        halted = Notices(server.log).halted()
        if halted is not None:
            warn(f"The sink is {halted}. Figures are those of before; see docs/verification.md.")
        elif apply:
            _catch_up(server, progress, started=op in WRITING, of_alerts=op in ASKING_ALERTS)
        return server.answer(op, args)


def _catch_up(
    server: "Server", progress: Progress, *, started: bool, of_alerts: bool = False
) -> None:
    """Apply and store what is in the log, and the figures of periods that follow from it."""
    from pnl.periods.cut import Reaching
    from pnl.pipeline import behind
    from streams.topics import OUTPUT_NAMES, STORED_NAMES

    stored = STORED_NAMES if of_alerts else OUTPUT_NAMES
    if started:
        server.start(serving=False)
    while True:
        while (left := behind(server.log, stored)) != (0, 0):
            if not started:
                started = True
                server.start(serving=False)
            server.check()
            progress.show(f"{left[0]:,} records to apply, {left[1]:,} results to store")
            pause(POLL_SECONDS)
        server.check()
        cut = Reaching(server.log).cut()
        if cut is not None and not server.pipeline.periods.refresh(cut):
            return

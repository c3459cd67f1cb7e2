"""`pnl import`: files into the log, then how their rows ended."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Final

import typer

from pnl.appending import Dispositions
from pnl.cli.progress import Progress
from pnl.cli.sentences import warn
from pnl.datafolder import DataFolder
from pnl.errors import Interrupted, UserError
from pnl.importer import Importer
from pnl.importing import Format, Reading, Rounding, Row, load_map, read
from pnl.settings_load import load
from streams.clock import SystemClock

REASONS_SHOWN: Final = 5


class Rows:
    """The rows of one file on their way into the log; the first bad ones are told."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.bad = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.reading:
            if row.reason:
                self.bad += 1
                if self.bad <= REASONS_SHOWN:
                    warn(row.reason)
            yield row
        if self.bad > REASONS_SHOWN:
            warn(f"{self.reading.name}: {self.bad - REASONS_SHOWN} more rows like these.")


def run_import(
    data: Path,
    topic: str,
    files: list[Path],
    map_file: Path | None,
    input_format: Format | None,
    *,
    wait: bool,
    as_json: bool,
) -> None:
    """Append the rows of all files, wait until they are applied and stored, print the counts."""
    loaded = load(data)
    folder = DataFolder(data)
    readings = _open(topic, files, map_file, input_format)
    done = 0
    with Progress() as progress, Importer(folder, loaded, SystemClock(), warn) as importer:
        try:
            if wait:
                importer.apply_if_free()  # whoever may not book refuses before a row is taken
            for reading in readings:
                for done in importer.append(topic, Rows(reading)):
                    text = f"{reading.name}: {done:,} rows"
                    progress.show(text, reading.position_bytes, reading.size_bytes)
                    if wait:
                        importer.apply_if_free()
            ended = (
                importer.finish(lambda what, n, of: progress.show(f"{what} {of:,} rows", n, of))
                if wait
                else None
            )
        except KeyboardInterrupt:
            raise Interrupted(
                f"Stopped. {done:,} rows are in the log and stay there; import the same files "
                "again for the rest, what is there already counts as duplicate."
            ) from None
        progress.clear()
    for reading in readings:
        _tell_rounding(reading.name, reading.rounding)
    _print(done, ended, as_json=as_json)


def _open(
    topic: str, files: list[Path], map_file: Path | None, input_format: Format | None
) -> list[Reading]:
    """Open every file before anything is appended: a wrong name changes nothing."""
    if [str(file) for file in files].count("-") > 1:
        raise UserError("Standard input (`-`) can be read once only.")
    rules = load_map(map_file) if map_file else None
    return [read(topic, file, format=input_format, rules=rules) for file in files]


def _tell_rounding(name: str, rounding: Rounding) -> None:
    if rounding.amounts:
        lost = ", ".join(
            f"{currency} {residue.normalize():f} minor units"
            for currency, residue in sorted(rounding.residue_minor.items())
            if residue != Decimal(0)
        )
        warn(
            f"{name}: {rounding.amounts:,} amounts were finer than a minor unit and were rounded"
            f"{f'; in all that took away {lost}' if lost else ''}."
        )


def _print(read_rows: int, ended: Dispositions | None, *, as_json: bool) -> None:
    if as_json:
        nothing = dict.fromkeys(("applied", "duplicate", "late", "dead_lettered"))
        shown = asdict(ended) if ended else {"read": read_rows} | nothing
        typer.echo(json.dumps(shown))
    elif ended is None:
        typer.echo(f"{read_rows:,} rows appended; a running server applies them.")
    else:
        typer.echo(
            f"{ended.read:,} rows read: {ended.applied:,} applied, {ended.duplicate:,} duplicate, "
            f"{ended.late:,} late, {ended.dead_lettered:,} dead-lettered."
        )
        if ended.dead_lettered:
            warn("Dead-lettered rows are not in the statement; `pnl doctor` lists the reasons.")

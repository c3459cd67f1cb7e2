"""The published shape of every report of the catalogue: JSON Schemas, and a page of definitions.

    python -m pnl.report_contracts docs/contracts/reports

writes them. What a report promises is read from a sheet of empty books: its columns are there
whatever the books hold.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pnl.reports.catalogue import CATALOGUE
from pnl.reports.definitions import definition_of
from pnl.reports.model import Scope
from pnl.reports.queries import Reports
from pnl.reports.sheet import Sheet, SheetColumn, SheetReport
from pnl.reports.sheet_json import schema
from processors.policy import Policy
from sinks.store import Store
from streams.clock import SystemClock

PAGE: Final = "README.md"


def documents(reports: Reports) -> dict[str, str]:
    """Return file name -> text: a schema for each report, and the page that explains all."""
    all_of = [(CATALOGUE[name], _views(CATALOGUE[name], reports)) for name in CATALOGUE]
    found = {
        f"{report.name}.schema.json": json.dumps(schema(report, *views.values()), indent=2) + "\n"
        for report, views in all_of
    }
    parts = [_HEAD, *(_section(report, views) for report, views in all_of)]
    return {PAGE: "\n".join(parts), **found}


def _views(report: SheetReport, reports: Reports) -> dict[str, Sheet]:
    """Return a sheet per view of a report; most have one, without a name."""
    scope = Scope(currency="GBP")
    if not report.views:
        return {"": reports.sheet(report.name, scope)}
    return {
        view: reports.sheet(report.name, scope, options={"view": view}) for view in report.views
    }


_HEAD: Final = """# Reports that are tables

Made from the code by `python -m pnl.report_contracts docs/contracts/reports`; how every one of them
is read stands in [reports.md](../../reports.md). `pnl report NAME --define` prints the same.
"""


def _section(report: SheetReport, views: Mapping[str, Sheet]) -> str:
    lines = [f"## {report.name}", "", f"{report.title}. {report.summary}", ""]
    if report.dimensions:
        lines += [f"`--by` {', '.join(report.dimensions)}.", ""]
    lines += [f"* `--set {name}=…`: {text}" for name, text in report.options.items()]
    lines += [""] if report.options else []
    for view, sheet in views.items():
        lines += [f"`view={view}`", ""] if view else []
        lines += ["| column | unit | basis | means |", "|---|---|---|---|"]
        lines += [_line(report, column) for column in sheet.columns]
        lines += [""]
    return "\n".join(lines)


def _line(report: SheetReport, column: SheetColumn) -> str:
    cited = f" ({column.definition})" if column.definition else ""
    meaning = f"{column.title}. {definition_of(report, column)}{cited}"
    return f"| {column.name} | {column.unit} | {column.basis} | {_cell(meaning)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def check(folder: Path, reports: Reports) -> list[str]:
    """Return, per file that is missing, different or left over, a sentence; empty if none."""
    expected = documents(reports)
    found = {path.name: path.read_text("utf-8") for path in folder.glob("*")}
    return [
        f"{folder / name} is not what the code says: run python -m pnl.report_contracts {folder}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]


def write(folder: Path, reports: Reports) -> None:
    """Write every document into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents(reports).items():
        (folder / name).write_text(text, encoding="utf-8")


def main(folder: Path) -> None:
    """Write the documents from the reports of empty books."""
    with tempfile.TemporaryDirectory() as empty:
        store = Store.open(f"chdb://{empty}/store")
        store.migrate()
        write(folder, Reports(store, Policy(), SystemClock()))
        store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

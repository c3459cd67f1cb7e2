"""Options that several commands share, declared once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from pnl.reports.catalogue import REPORT_NAMES


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"


class Plain(StrEnum):
    """How a result is printed that is no table of figures."""

    TABLE = "table"
    JSON = "json"


def report_name(name: str) -> str:
    """Accept the name of a report."""
    if name not in REPORT_NAMES:
        listed = ", ".join(REPORT_NAMES)
        raise typer.BadParameter(f"There is no report {name!r}; there are {listed}.")
    return name


Data: TypeAlias = Annotated[
    Path,
    typer.Option("--data", metavar="DIR", envvar="PNL_DATA", help="The data folder."),
]
DATA_DEFAULT = Path("pnl-data")
Shown: TypeAlias = Annotated[Format, typer.Option("--format", help="How to print the result.")]
ShownPlain: TypeAlias = Annotated[Plain, typer.Option("--format", help="How to print the result.")]
Port: TypeAlias = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="Where to serve the page [server.port]."),
]

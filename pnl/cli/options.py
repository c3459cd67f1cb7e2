"""Options that several commands share, declared once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Plain(StrEnum):
    """How a result is printed that is no table of figures."""

    TABLE = "table"
    JSON = "json"


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

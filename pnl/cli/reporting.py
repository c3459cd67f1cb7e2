"""`pnl report`: its options, each declared once, and the question they make."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from pnl.cli.options import DATA_DEFAULT, Data, Format, Shown, report_name
from pnl.reports.catalogue import REPORT_NAMES

Name: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help=f"Which report: {', '.join(REPORT_NAMES)}.", callback=report_name
    ),
]
From: TypeAlias = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="First day, as 2010-11-01.")
]
To: TypeAlias = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help="Day after the last (not included).")
]
Month: TypeAlias = Annotated[str | None, typer.Option(metavar="YYYY-MM")]
Quarter: TypeAlias = Annotated[str | None, typer.Option(metavar="YYYY-QN")]
Year: TypeAlias = Annotated[str | None, typer.Option(metavar="YYYY")]
Week: TypeAlias = Annotated[
    str | None, typer.Option(metavar="YYYY-WNN", help="ISO week, Monday to Sunday.")
]
FiscalYear: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="YYYY", help="Named by the year it ends in; [reporting] says when."),
]
FiscalMonth: TypeAlias = Annotated[str | None, typer.Option(metavar="YYYY-MM")]
FiscalQuarter: TypeAlias = Annotated[str | None, typer.Option(metavar="YYYY-QN")]
By: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="DIM[,DIM]",
        help="queue, team, agent, channel, reason, kind, product_class; for contacts: contact;"
        " other reports say what they take.",
    ),
]
Filters: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="DIM=VALUE", help="Only these; repeat or separate values by commas."),
]
Currency: TypeAlias = Annotated[
    str | None, typer.Option(metavar="CODE", help="One currency [reporting.currency].")
]
Convert: TypeAlias = Annotated[
    bool,
    typer.Option("--convert", help="Convert entries of other currencies, by `pnl rates`."),
]
Model: TypeAlias = Annotated[
    str | None, typer.Option(metavar="MODEL", help="For reports that compare models.")
]
View: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="VIEW", help="statement: restated or reported (of a closed period)."),
]
Settings: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="An option of the report; repeat."),
]
Define: TypeAlias = Annotated[
    bool, typer.Option("--define", help="Print what the columns mean instead.")
]
Out: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write to this file [standard output].")
]


def report(
    name: Name,
    data: Data = DATA_DEFAULT,
    start: From = None,
    end: To = None,
    month: Month = None,
    quarter: Quarter = None,
    year: Year = None,
    week: Week = None,
    fiscal_year: FiscalYear = None,
    fiscal_quarter: FiscalQuarter = None,
    fiscal_month: FiscalMonth = None,
    by: By = None,
    where: Filters = None,
    currency: Currency = None,
    convert: Convert = False,
    model: Model = None,
    view: View = None,
    options_: Settings = None,
    define: Define = False,
    out: Out = None,
    shown: Shown = Format.TABLE,
) -> None:
    """Print a report. Ranges are [from, to)."""
    from pnl.cli.asking import run_question

    named = {"model": model, "view": view}

    run_question(
        data,
        "report",
        {
            "name": name,
            "from": start,
            "to": end,
            "month": month,
            "quarter": quarter,
            "year": year,
            "week": week,
            "fiscal_year": fiscal_year,
            "fiscal_quarter": fiscal_quarter,
            "fiscal_month": fiscal_month,
            "by": by,
            "where": where or [],
            "currency": currency,
            "convert": convert,
            "set": [
                *(options_ or []),
                *(f"{name}={value}" for name, value in named.items() if value),
            ],
            "define": define,
            "format": shown.value,
        },
        out=out,
    )

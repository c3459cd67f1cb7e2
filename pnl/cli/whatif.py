"""`pnl whatif`: the contribution at another staffing, service level or price."""

from pathlib import Path
from typing import Annotated

import typer

from pnl.cli.options import DATA_DEFAULT, Data, Format, Shown


def whatif(
    data: Data = DATA_DEFAULT,
    *,
    staffing: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="More or fewer at work, as -10%,+5%.")
    ] = None,
    service_level: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="Share to be answered in time, as 80%.")
    ] = None,
    price: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="Other fixed support fees, as +5%.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day, as 2010-11-01.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Day after the last (not included).")
    ] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM")] = None,
    quarter: Annotated[str | None, typer.Option(metavar="YYYY-QN")] = None,
    year: Annotated[str | None, typer.Option(metavar="YYYY")] = None,
    currency: Annotated[
        str | None, typer.Option(metavar="CODE", help="One currency [reporting.currency].")
    ] = None,
    options_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="within_s, follow_days; repeat."),
    ] = None,
    define: Annotated[
        bool, typer.Option("--define", help="Print what the columns mean instead.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file [standard output].")
    ] = None,
    shown: Shown = Format.TABLE,
) -> None:
    """Say what another staffing, service level or price would bring, as far as was observed.

    Read off what was measured: how contacts end under which load, and what customers buy after.
    Each figure with its interval, an association; outside what was observed nothing is said.
    """
    from pnl.cli.asking import run_question

    named = {"staffing": staffing, "service_level": service_level, "price": price}
    args = {
        "name": "whatif",
        "from": start,
        "to": end,
        "month": month,
        "quarter": quarter,
        "year": year,
        "by": None,
        "where": [],
        "currency": currency,
        "set": [
            *(options_ or []),
            *(f"{name}={value}" for name, value in named.items() if value is not None),
        ],
        "define": define,
        "format": shown.value,
    }
    run_question(data, "report", args, out=out)

"""`pnl rates`: exchange rates, which reports convert by."""

from pathlib import Path
from typing import Annotated

import typer

from pnl.cli.options import DATA_DEFAULT, Data, Plain, ShownPlain

rates = typer.Typer(name="rates", help="Exchange rates, for reports in another currency.")


@rates.command("import", epilog="Example:  pnl rates import rates.csv --carry-days 4")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with the columns date,base,quote,rate.")
    ],
    data: Data = DATA_DEFAULT,
    carry_days: Annotated[
        int,
        typer.Option(
            "--carry-days", min=0, max=10, help="How many days without one a rate holds on."
        ),
    ] = 0,
    shown: ShownPlain = Plain.TABLE,
) -> None:
    """Import what one unit of `base` was worth in `quote`, by day.

    All or nothing; a rate of the same day and currencies takes the place of the former.
    """
    from pnl.cli.asking import run_question
    from pnl.rates.reading import read_rates

    found = [
        (rate.day, rate.base, rate.quote, rate.rate_e10) for rate in read_rates(file, carry_days)
    ]
    args = {"rates": found, "format": shown.value}
    run_question(data, "rates_import", args, apply=False)


@rates.command("list", epilog="Example:  pnl rates list EUR/GBP")
def list_(
    pair: Annotated[
        str | None, typer.Argument(metavar="[BASE/QUOTE]", help="The days of one pair.")
    ] = None,
    data: Data = DATA_DEFAULT,
    shown: ShownPlain = Plain.TABLE,
) -> None:
    """List the rates there are."""
    from pnl.cli.asking import run_question

    run_question(data, "rates_list", {"pair": pair, "format": shown.value})

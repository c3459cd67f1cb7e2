"""`pnl close`: periods that are over become what was reported."""

from typing import Annotated

import typer

from pnl.cli.options import DATA_DEFAULT, Data, Plain, ShownPlain
from pnl.errors import UserError


def close(
    period: Annotated[
        str | None, typer.Argument(metavar="PERIOD", help="2026-04, 2026-Q2 or 2026.")
    ] = None,
    data: Data = DATA_DEFAULT,
    *,
    listed: Annotated[
        bool, typer.Option("--list", help="Show how every month stands instead.")
    ] = False,
    shown: ShownPlain = Plain.TABLE,
) -> None:
    """Close a period: what is known of it now is as reported, for ever.

    Months that were booked live close by themselves a day after their end; imported ones close
    only so. Whatever comes later restates the period, and `pnl report restatement` says why.
    """
    from pnl.cli.asking import run_question

    if listed == (period is not None):
        raise UserError("Give a period to close, such as 2026-04, or --list.")
    run_question(data, "close", {"period": period, "format": shown.value})

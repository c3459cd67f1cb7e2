"""`pnl lift`: what a treatment changes, from any table."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pnl.errors import UserError


def lift(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header; .gz or not.")],
    treatment: Annotated[str, typer.Option(metavar="COL", help="1 where treated, else 0.")],
    outcome: Annotated[str, typer.Option(metavar="COL", help="1 where it happened, else 0.")],
    strata: Annotated[
        str | None, typer.Option(metavar="COL[,COL]", help="Compare only rows that are alike.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option(metavar="COL", help="Whose rows belong together [each its own].")
    ] = None,
    *,
    randomised: Annotated[
        bool, typer.Option("--randomised", help="Lots decided who was treated: causal.")
    ] = False,
    stratum_min: Annotated[
        int, typer.Option("--min", min=1, help="Rows a stratum needs in each arm.")
    ] = 30,
) -> None:
    """Compare an outcome's rate with and without a treatment, as JSON.

    The estimator of `pnl report outcomes` on any table: the difference weighed by stratum, with
    its 95 % interval. It is called an association, unless --randomised says that lots decided.
    """
    from pnl.lifting.table import Asked, lift, read_table

    names = tuple(name.strip() for name in (strata or "").split(",") if name.strip())
    if len(set(names)) != len(names):
        raise UserError(f"--strata names a column twice: {strata}.")
    asked = Asked(
        treatment=treatment,
        outcome=outcome,
        strata=names,
        customer=customer,
        randomised=randomised,
        strata_min=stratum_min,
    )
    found = lift(read_table(file, asked), asked)
    typer.echo(json.dumps({"file": str(file), **found}, indent=2))

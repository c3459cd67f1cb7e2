"""`pnl fit` and `pnl evaluate`: models of what customers will do, and what they are worth."""

import json
from collections.abc import Callable
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pnl.cli.options import DATA_DEFAULT, Data, Plain, ShownPlain
from pnl.errors import UserError


class Fitted(StrEnum):
    """What can be fitted and evaluated."""

    CHURN = "churn"


class Kind(StrEnum):
    """Models of repeat purchases."""

    BGNBD = "bgnbd"
    PNBD = "pnbd"


HorizonDays = Annotated[
    int, typer.Option("--horizon", min=1, max=3650, help="Days without a purchase that count.")
]
AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="DATE", help="The last day that is known.")
]


def fit(
    what: Annotated[Fitted, typer.Argument(help="What to fit.")],
    data: Data = DATA_DEFAULT,
    horizon: HorizonDays = 90,
    as_of: AsOf = None,
    currency: Annotated[
        str | None, typer.Option(metavar="CODE", help="One currency [reporting.currency].")
    ] = None,
    model: Annotated[
        Kind, typer.Option(help="Which model of repeat purchases is fitted.")
    ] = Kind.BGNBD,
    observed: Annotated[
        bool, typer.Option("--observed", help="Fit nothing: keep what was observed.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Keep a model that ranks worse than none.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write [churn.json in the data].")
    ] = None,
) -> None:
    """Fit churn risk and customer value on the books, and keep the model as JSON.

    From the orders that are worth something after their refunds; what signals of contacts weigh is
    learnt on labels that have matured. What the data do not determine is left out, with the reason.
    A model that would have ranked worse than no model is refused (exit 1), and the file is as it
    was: so this may run every night.
    """
    from pnl.cli.asking import run_question

    file = out or data / f"{what.value}.json"
    args = {
        "horizon": horizon,
        "as_of": None if as_of is None else _date(as_of).isoformat(),
        "currency": currency,
        "model": model.value,
        "observed": observed,
        "force": force,
    }
    run_question(data, "fit", args, out=file)
    typer.echo(_fitted(file))


def evaluate(
    what: Annotated[Fitted, typer.Argument(help="What to evaluate.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Orders as CSV or JSON lines.")],
    horizon: HorizonDays = 90,
    as_of: AsOf = None,
    customer: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Who bought [by its name].")
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="When, as 1997-09-30 [by its name].")
    ] = None,
    amount: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What it was worth [by its name].")
    ] = None,
    model: Annotated[
        Kind, typer.Option(help="Which model of repeat purchases is fitted.")
    ] = Kind.BGNBD,
    shown: ShownPlain = Plain.JSON,
) -> None:
    """Say how good churn risk would have been on an order history.

    Fits on what was known at the end of --as-of (a horizon before the last purchase), and compares
    the risk with who bought in the horizon after it, beside the plain ranking by repeats and
    recency. Needs no data folder.
    """
    del what
    from pnl.fitting.churn import KINDS
    from pnl.fitting.evaluation import evaluate as evaluated
    from pnl.fitting.likelihood import CannotFit
    from pnl.fitting.order_history import Columns, read_history
    from pnl.fitting.told import evaluation_as_json

    history = read_history(file, Columns(customer=customer, time=time, amount=amount))
    day = None if as_of is None else (_date(as_of) - date(1970, 1, 1)).days
    try:
        found = evaluation_as_json(evaluated(history.purchases, day, horizon, KINDS[model.value]))
    except CannotFit as error:
        raise UserError(f"{file}: {error}.") from None
    read = {
        "rows": history.rows,
        "left_out": dict(history.left_out),
        "purchase_days": len(history.purchases),
    }
    told = {**found, "history": read}
    typer.echo(json.dumps(told, indent=2) if shown is Plain.JSON else _table(told))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"--as-of {text!r} must be a date such as 2010-11-01.") from None


def _fitted(file: Path) -> str:
    """Return what a model file holds, in sentences."""
    from pnl.fitting.model_file import read_model

    model = read_model(file)
    assert model is not None, "it was written a moment ago"
    known = f"{model.customers} customers to {model.as_of}"
    if model.repeat is None:
        return f"{file}: no model is fitted ({model.reason}); risk is what was observed of {known}."
    found = [f"{file}: risk over {model.horizon_days} days, {model.label}, from {known}."]
    if model.judged is None:
        found.append("The books are too young to judge it by what happened.")
    else:
        found.append(
            f"As of {model.judged.as_of} its kind would have had AUC {model.judged.auc:.3f}"
            f" (repeats and recency alone: {model.judged.baseline_auc:.3f})."
        )
    learnt = () if model.signals is None else [w for w in model.signals.weights if w.learnt]
    if learnt:
        found.append(f"Signals with a learnt weight: {', '.join(w.signal for w in learnt)}.")
    return " ".join(found)


def _table(told: dict[str, Any]) -> str:
    """Return an evaluation for people."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    shape: Callable[..., str] = "{:<42}{:>8}{:>8}{:>8}{:>10}".format
    head = (
        f"Churn risk as of {told['as_of']}, judged until {told['judged_until']}:"
        f" {told['no_purchase']} of {told['customers']} customers did not buy."
    )
    lines = [head, "", shape("score", "AUC", "AUC 2+", "Brier", "log loss")]
    lines += [
        shape(
            each["score"],
            *(number(each[key]) for key in ("auc", "auc_repeaters", "brier", "log_loss")),
        )
        for each in told["scores"]
    ]
    lines += ["", "tenths by risk: predicted, actual"]
    lines += [
        f"  {number(each['predicted'])}  {number(each['actual'])}"
        f"  ({number(each['actual_low'])} to {number(each['actual_high'])})"
        for each in told["deciles"]
    ]
    return "\n".join(lines)

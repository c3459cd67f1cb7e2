"""The commands and their options. What they do stands beside; it is loaded when they run."""

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from pnl.cli.alerting import alerts
from pnl.cli.closing import close
from pnl.cli.cluster import migrate, rebuild, repair, resume, topics, worker
from pnl.cli.ending import INTERRUPTED_TEXT, ending, leave
from pnl.cli.fitting import evaluate, fit
from pnl.cli.lifting import lift
from pnl.cli.options import (
    DATA_DEFAULT,
    Data,
    Plain,
    Port,
    ShownPlain,
)
from pnl.cli.rates import rates
from pnl.cli.reporting import report
from pnl.cli.restating import restate
from pnl.cli.whatif import whatif
from pnl.errors import Exit

app = typer.Typer(
    name="pnl",
    help="A live, reconcilable profit-and-loss statement for contact centres.",
    epilog="Start with:  pnl demo",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, asked: bool) -> None:
    if asked:
        from pnl.version import code_version

        typer.echo(f"contact-pnl {code_version()}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda value: _version(asked=value),
            is_eager=True,
            help="Show which program this is.",
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    del version


class InputTopic(StrEnum):
    """What can be imported."""

    CONTACTS = "contacts"
    RESOLUTIONS = "resolutions"
    ORDERS = "orders"
    COSTS = "costs"


class InputFormat(StrEnum):
    """How a file is written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class Explained(StrEnum):
    """What can be explained."""

    ORDER = "order"
    CONTACT = "contact"


class ModelName(StrEnum):
    """How credit is split over touchpoints."""

    LAST = "last"
    FIRST = "first"
    LINEAR = "linear"
    POSITION = "position"
    TIME_DECAY = "time_decay"


@app.command(epilog="Example:  pnl demo --speed max --until-loaded")
def demo(
    data: Data = DATA_DEFAULT,
    speed: Annotated[
        str,
        typer.Option(metavar="N|max", help="Times faster than life; 105120 is a year in 5 min."),
    ] = "105120",
    until_loaded: Annotated[
        bool,
        typer.Option("--until-loaded", help="End when all is applied; print a JSON summary."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="The simulated contact centre.")] = 1,
    port: Port = None,
    page: Annotated[bool, typer.Option(help="Serve the page.")] = True,
) -> None:
    """Replay real orders with simulated contacts, live.

    Takes the shipped invoices of a wholesaler, lays simulated contacts, resolutions and costs
    over them, replays all of it in event-time order and serves the page. Ctrl-C stops it;
    starting it again goes on where it was.
    """
    from pnl.cli.serving import run_demo

    run_demo(data, speed, seed, port, until_loaded=until_loaded, page=page)


@app.command(epilog="Example:  pnl run --data ./pnl-data --port 8080")
def run(data: Data = DATA_DEFAULT, port: Port = None) -> None:
    """Serve the page and apply what is imported.

    Works on what the data folder holds, until Ctrl-C. Other commands ask it meanwhile.
    """
    from pnl.cli.serving import run_server

    run_server(data, port)


@app.command(
    "import", epilog="Example:  pnl import orders invoices.csv.gz --map examples/online_retail.toml"
)
def import_(
    topic: Annotated[InputTopic, typer.Argument(help="What the files hold.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="`-`: standard input.")],
    data: Data = DATA_DEFAULT,
    map_file: Annotated[
        Path | None, typer.Option("--map", metavar="FILE", help="How columns become fields.")
    ] = None,
    input_format: Annotated[
        InputFormat | None,
        typer.Option("--input-format", help="How the files are written [by their names]."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="End when applied, or when appended.")
    ] = True,
    shown: ShownPlain = Plain.TABLE,
) -> None:
    """Import contacts, resolutions, orders or costs.

    From JSON lines, CSV with a map, or Parquet; gzipped or not. Says how many rows were applied,
    duplicate, late, dead-lettered. Works while `pnl run` runs. Importing the same rows again
    changes nothing: they are counted as duplicates.
    """
    from pnl.cli.importing import run_import

    run_import(
        data,
        topic.value,
        files,
        map_file,
        input_format.value if input_format else None,
        wait=wait,
        as_json=shown is Plain.JSON,
    )


@app.command(epilog="Example:  pnl simulate --customers 1000 --events 100000 --seed 7 --out sim")
def simulate(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write the files.")],
    orders: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Orders to lay contacts over (JSON lines, or CSV)."),
    ] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map", metavar="FILE", help="How --orders is read.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same events.")] = 1,
    customers: Annotated[int | None, typer.Option(min=1, help="Generate customers.")] = None,
    events: Annotated[int | None, typer.Option(min=1, help="Generate about this many.")] = None,
    years: Annotated[int | None, typer.Option(min=1, help="Over so many years [1].")] = None,
    outage: Annotated[
        tuple[str, datetime, int] | None,
        typer.Option(
            metavar="QUEUE START MINUTES",
            help="Trouble in a queue: waits triple, half as much is resolved (START in UTC).",
        ),
    ] = None,
) -> None:
    """Simulate a contact centre with known effects.

    Over an order file it lays contacts, resolutions and costs and adds marked orders; without
    one, --customers and --events generate the orders too. Writes the events, and `truth.json`,
    which states every effect.
    """
    from pnl.cli.simulating import run_simulate

    run_simulate(out, orders, map_file, seed, customers, events, years, outage)


app.command(epilog="Example:  pnl report statement --month 2010-11 --by queue --format json")(
    report
)


@app.command(epilog="Example:  pnl explain order 536365")
def explain(
    what: Annotated[Explained, typer.Argument(help="An order or a contact.")],
    identity: Annotated[str, typer.Argument(metavar="ID")],
    data: Data = DATA_DEFAULT,
    model: Annotated[
        ModelName | None, typer.Option(help="Split an order by another model than the booked.")
    ] = None,
    shown: ShownPlain = Plain.TABLE,
) -> None:
    """Go from a number down to its events.

    Shows touchpoints, weights, credits, entries and what caused them.
    """
    from pnl.cli.asking import run_question

    args = {
        "what": what.value,
        "id": identity,
        "model": model.value if model else None,
        "format": shown.value,
    }
    run_question(data, "explain", args)


@app.command(epilog="Example:  pnl verify --format json")
def verify(data: Data = DATA_DEFAULT, shown: ShownPlain = Plain.TABLE) -> None:
    """Check that the stored data adds up.

    Every law and reconciliation there is; exit 1 and the differing rows if one fails.
    """
    from pnl.cli.asking import run_question

    run_question(data, "verify", {"format": shown.value})


@app.command(epilog="Example:  pnl doctor --data ./pnl-data")
def doctor(data: Data = DATA_DEFAULT, shown: ShownPlain = Plain.TABLE) -> None:
    """Check the installation, and say what to do.

    Looks at settings, data folder, log, store, schema, disk and data.
    """
    from pnl.cli.asking import run_doctor

    run_doctor(data, as_json=shown is Plain.JSON)


app.command(epilog="Example:  pnl fit churn --data ./pnl-data")(fit)
app.command(epilog="Example:  pnl evaluate churn examples/cdnow_sample.csv.gz")(evaluate)
app.command(epilog="Example:  pnl close 2026-04")(close)
app.command(epilog="Example:  pnl whatif --staffing -10%")(whatif)
app.command(epilog="Example:  pnl lift trial.csv --treatment called --outcome bought")(lift)
app.add_typer(topics)
app.add_typer(rates)
app.add_typer(alerts)
app.add_typer(migrate)
app.add_typer(worker)
app.command(epilog='Example:  pnl resume --reason "batch 1-0-7 was repaired"')(resume)
app.command(epilog='Example:  pnl repair --reason "R2 of Monday"')(repair)
app.command(epilog="Example:  pnl rebuild --accept-differences")(rebuild)
app.command(epilog="Example:  pnl restate --from 2026-04-01")(restate)


def run_command(arguments: list[str]) -> None:
    """Run a command and end the process with its exit code."""
    if sys.flags.optimize:
        typer.echo("pnl: Python runs with -O, which switches checks off; unset it.", err=True)
        sys.exit(2)
    leave(outcome(arguments))


def outcome(arguments: list[str]) -> int:
    """Run one command; return its exit code after saying in one sentence what went wrong."""
    try:
        code = app(arguments, standalone_mode=False)
        sys.stdout.flush()
    except TyperException as error:
        sentence = error.format_message().replace("Value error, ", "")
        # No command at all: what there is to choose from is no error of its own.
        typer.echo(sentence if sentence.startswith("Usage:") else f"pnl: {sentence}", err=True)
        return error.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place that ends
        sentence, code = ending(error)
        if sentence:
            typer.echo(f"pnl: {sentence}", err=True)
        return code
    if code == Exit.INTERRUPTED:  # how typer returns a Ctrl-C
        typer.echo(f"pnl: {INTERRUPTED_TEXT}", err=True)
    return code if isinstance(code, int) else 0

"""The commands of a log on Kafka, and their options: topics, schema, workers."""

from typing import Annotated

import typer

from pnl.cli.options import DATA_DEFAULT, Data, Plain, ShownPlain

topics = typer.Typer(
    name="topics",
    help="Create and check the topics of a log on Kafka.",
    epilog="Example:  pnl topics apply",
    no_args_is_help=True,
)
migrate = typer.Typer(
    name="migrate",
    help="Bring the store's schema up to date, before workers start.",
    epilog="Example:  pnl migrate up",
    no_args_is_help=True,
)
worker = typer.Typer(
    name="worker",
    help="Run one part of the program on a log on Kafka, in as many processes as wanted.",
    epilog="Example:  pnl worker journeys --processes 4",
    no_args_is_help=True,
)


@topics.command(epilog="Example:  pnl topics apply --correct")
def apply(
    data: Data = DATA_DEFAULT,
    *,
    correct: Annotated[
        bool, typer.Option("--correct", help="Also set what is set wrongly, telling each.")
    ] = False,
    new_epoch: Annotated[
        bool,
        typer.Option("--new-epoch", help="Accept topics that were created anew: a new life."),
    ] = False,
) -> None:
    """Create the topics that are missing, and say what is wrong with the others.

    Changes nothing that is there, but with --correct. A partition count is never changed. Exit 1
    if something is left that can lose records.
    """
    from pnl.cli.topics import run_apply

    run_apply(data, correct=correct, new_epoch=new_epoch)


@topics.command(epilog="Example:  pnl topics check --format json")
def check(data: Data = DATA_DEFAULT, shown: ShownPlain = Plain.TABLE) -> None:
    """Say of each wrong setting which money it would lose, and the cure; change nothing."""
    from pnl.cli.topics import run_check

    run_check(data, as_json=shown is Plain.JSON)


@migrate.command(epilog="Example:  pnl migrate up")
def up(data: Data = DATA_DEFAULT) -> None:
    """Create and change the store's tables and views as this program needs them."""
    from pnl.cli.topics import run_migrate

    run_migrate(data)


@migrate.command(epilog="Example:  pnl migrate status")
def status(data: Data = DATA_DEFAULT) -> None:
    """Say which migrations the store lacks; exit 1 if it lacks any."""
    from pnl.cli.topics import run_migrate_status

    run_migrate_status(data)


Slot = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="This worker among its like [log.slot, or the host]."),
]
Answers = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="Where health and metrics are [worker.port]."),
]
Descriptor = Annotated[int | None, typer.Option("--descriptor", hidden=True)]
Processes = Annotated[
    int, typer.Option(min=1, max=256, help="Processes under a supervisor; each has its slot.")
]


@worker.command(epilog="Example:  pnl worker journeys --processes 4")
def journeys(
    data: Data = DATA_DEFAULT,
    processes: Processes = 1,
    slot: Slot = None,
    port: Answers = None,
    descriptor: Descriptor = None,
) -> None:
    """Work out who earned what: facts in, ledger out, exactly once.

    Partitions are shared out among all processes, on this machine and others. Started again in
    the same slot, a process goes on from what is committed.
    """
    from pnl.cli.working import run_worker

    run_worker("journeys", data, processes, slot, port, descriptor)


@worker.command(epilog="Example:  pnl worker sink --processes 2")
def sink(
    data: Data = DATA_DEFAULT,
    processes: Processes = 1,
    slot: Slot = None,
    port: Answers = None,
    descriptor: Descriptor = None,
) -> None:
    """Copy what journeys wrote into the store; repeats are harmless."""
    from pnl.cli.working import run_worker

    run_worker("sink", data, processes, slot, port, descriptor)


@worker.command(epilog="Example:  pnl worker console --port 8080")
def console(
    data: Data = DATA_DEFAULT,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="Where to serve the page [server.port]."),
    ] = None,
) -> None:
    """Serve the page from the store. Health and metrics are beside it."""
    from pnl.cli.working import run_console

    run_console(data, port)


@worker.command(epilog="Example:  pnl worker auditor")
def auditor(
    data: Data = DATA_DEFAULT,
    slot: Slot = None,
    port: Answers = None,
) -> None:
    """Count again what the others say they did; halt the sink where money may be wrong."""
    from pnl.cli.working import run_worker

    run_worker("auditor", data, 1, slot, port, None)


@worker.command(epilog="Example:  pnl worker periods")
def periods(
    data: Data = DATA_DEFAULT,
    slot: Slot = None,
    port: Answers = None,
) -> None:
    """Work out what payroll leaves, and close the months that were booked live.

    One is enough; two do no harm.
    """
    from pnl.cli.working import run_worker

    run_worker("periods", data, 1, slot, port, None)


@worker.command(epilog="Example:  pnl worker signals --processes 2")
def signals(
    data: Data = DATA_DEFAULT,
    processes: Processes = 1,
    slot: Slot = None,
    port: Answers = None,
    descriptor: Descriptor = None,
) -> None:
    """Watch risk and activity as they come: windows, and alerts by the rules of alerts.toml.

    Partitions are shared out among all processes. [signals] host says what runs them.
    """
    from pnl.cli.working import run_worker

    run_worker("signals", data, processes, slot, port, descriptor)


@worker.command(epilog="Example:  pnl worker alerts --route ops")
def alerts(
    data: Data = DATA_DEFAULT,
    route: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this route [all of alerts.toml].")
    ] = None,
    slot: Slot = None,
    port: Answers = None,
) -> None:
    """Send alerts to the routes of alerts.toml, at least once; no route waits for another."""
    from pnl.cli.working import run_worker

    run_worker("alerts", data, 1, slot, port, None, route)


def resume(
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is right now; kept.")],
    data: Data = DATA_DEFAULT,
) -> None:
    """Let the sink go on that an alarm of the auditor had halted."""
    from pnl.cli.mending import run_resume

    run_resume(data, reason)


def repair(
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why it is done; kept.")],
    data: Data = DATA_DEFAULT,
    *,
    accept: Annotated[
        bool, typer.Option("--accept", help="Make good what is found; else it is only shown.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="First set the offsets to those the state goes up to.")
    ] = False,
    rebuild_state: Annotated[
        bool,
        typer.Option("--rebuild-state", help="First work a damaged state out anew from the facts."),
    ] = False,
) -> None:
    """Find what a torn batch did to the log, show it, and with --accept make it good.

    Stop all workers of journeys first. Nothing is deleted: what stands twice is taken back by
    entries of its own, what is missing is booked. Exit 1 if something is torn and not made good.
    --resume and --rebuild-state are for a partition that workers refuse; they write at once.
    """
    from pnl.cli.mending import run_repair, run_repair_state

    if resume or rebuild_state:
        run_repair_state(data, reason, rebuild=rebuild_state)
    run_repair(data, reason, accept=accept)


def rebuild(
    data: Data = DATA_DEFAULT,
    *,
    accept_differences: Annotated[
        bool,
        typer.Option("--accept-differences", help="The store is known to be wrong; exchange it."),
    ] = False,
) -> None:
    """Fill the store's tables anew from the log, check them, put them in the place of the old.

    Sinks may go on meanwhile. Nothing is exchanged while a law is broken in the new tables, or
    while their totals differ from the old ones unasked.
    """
    from pnl.cli.mending import run_rebuild

    run_rebuild(data, accept_differences=accept_differences)

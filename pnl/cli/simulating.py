"""`pnl simulate`: the events of a simulated contact centre, as files to import."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import typer

from pnl.errors import UserError
from pnl.importing import load_map, read
from pnl.simulator.centre import Outage
from pnl.simulator.simulation import Simulation, generate, overlay, write
from streams.clock import SystemClock
from streams.codec import decode
from streams.facts import Order
from streams.invalid import Invalid
from streams.topics import ORDERS, SOURCE_NAMES


def run_simulate(
    out: Path,
    orders: Path | None,
    map_file: Path | None,
    seed: int,
    customers: int | None,
    events: int | None,
    years: int | None,
    outage: tuple[str, datetime, int] | None,
) -> None:
    """Write the files of the simulation that was asked for, and say where they are."""
    if orders is not None and (customers, events, years) != (None, None, None):
        raise UserError("Give either --orders, or --customers and --events; not both.")
    if orders is None and (customers is None or events is None):
        raise UserError("Give --orders FILE to lay contacts over, or --customers and --events.")
    if orders is None and map_file is not None:
        raise UserError("--map says how --orders is read; without --orders there is none.")
    try:
        outages = () if outage is None else (_outage(*outage),)
        write(out, _simulation(orders, map_file, seed, customers, events, years, outages))
    except ValueError as error:
        raise UserError(f"{orders or 'The simulation'}: {error}.") from None
    except OSError as error:
        raise UserError(f"{error.filename or out}: cannot be written: {error.strerror}.") from None
    names = ", ".join(f"{topic}.jsonl" for topic in SOURCE_NAMES)
    typer.echo(f"{out}: {names} and truth.json are written.")


def _simulation(
    orders: Path | None,
    map_file: Path | None,
    seed: int,
    customers: int | None,
    events: int | None,
    years: int | None,
    outages: tuple[Outage, ...],
) -> Simulation:
    if orders is not None:
        return overlay(_orders(orders, map_file), seed, outages=outages)
    assert customers is not None
    assert events is not None
    return generate(customers, events, seed, years or 1, outages=outages)


def _outage(queue: str, start: datetime, minutes: int) -> Outage:
    begin = round(start.replace(tzinfo=start.tzinfo or UTC).timestamp() * 1000)
    return Outage(queue=queue, start=begin, end=begin + minutes * 60_000)


def _orders(file: Path, map_file: Path | None) -> Iterator[Order]:
    """Yield the orders of a file; here a row that is no order stops the command."""
    now = SystemClock().now_ms()
    for row in read(ORDERS, file, rules=load_map(map_file) if map_file else None):
        order = decode(ORDERS, row.key, row.value, now)
        if isinstance(order, Invalid):
            reason = row.reason.rstrip(".") or f"{file}: line {row.line}: {order.detail}"
            raise UserError(f"{reason}.")
        assert isinstance(order, Order)
        yield order

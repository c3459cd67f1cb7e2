"""The two simulations a user can ask for, and the files they are written to."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from pnl.simulator.centre import Behaviour, Outage
from pnl.simulator.generator import Invented
from pnl.simulator.generator import plan as generator_plan
from pnl.simulator.overlay import CONTACTS_PER_ORDER, MARK, Given
from pnl.simulator.run import Plan, Run
from pnl.simulator.truth import Truth, to_json
from streams.codec import encode
from streams.facts import Fact, Order
from streams.topics import SOURCE_NAMES

TRUTH_FILE: Final = "truth.json"
YEARS_MAX: Final = 40


class Simulation:
    """A simulation that can be run as often as wanted, each time the same."""

    def __init__(
        self,
        mode: Literal["overlay", "generate"],
        arguments: dict[str, int],
        start: Callable[[], tuple[Run, Callable[[], int | None]]],
    ) -> None:
        self._mode = mode
        self._arguments = arguments
        self._start = start
        self._truth: Truth | None = None

    def events(self) -> Iterator[tuple[str, Fact]]:
        """Yield (topic, fact) in order of event time; equal times in a fixed order."""
        run, baseline_ppm = self._start()
        yield from run.events()
        self._truth = run.tally.truth(
            mode=self._mode,
            seed=run.plan.seed,
            currency=run.plan.currency,
            arguments=self._arguments,
            span=(run.plan.start_at, run.plan.end_at),
            agents=run.agents,
            behaviour=run.plan.behaviour,
            baseline_ppm=baseline_ppm(),
        )

    def truth(self) -> Truth:
        """Return what was put into the events; runs the simulation if that was not done yet."""
        if self._truth is None:
            for _ in self.events():
                pass
        assert self._truth is not None
        return self._truth


def overlay(orders: Iterable[Order], seed: int, *, outages: tuple[Outage, ...] = ()) -> Simulation:
    """Lay contacts, resolutions, costs and what contacts cause over given orders.

    The events hold every given order, unchanged, and marked ones (`sim-…`). The orders are kept
    in memory. Raises ValueError when there is no order, or one that carries the mark.
    """
    given = tuple(orders)
    if not given:
        raise ValueError("there are no orders to lay contacts over")
    behaviour = Behaviour(outages=outages)

    def start() -> tuple[Run, Callable[[], int | None]]:
        demand = Given(given, seed, behaviour)
        plan = Plan(
            seed=seed,
            first_day=demand.first_day,
            last_day=demand.last_day,
            contacts=round(demand.count * CONTACTS_PER_ORDER),
            prefix=MARK,
            currency=demand.currency,
            behaviour=behaviour,
        )
        return Run(plan, demand), lambda: None

    start()  # refuse bad orders now rather than at the first event
    return Simulation("overlay", {"orders": len(given)}, start)


def generate(
    customers: int,
    events: int,
    seed: int,
    years: int = 1,
    *,
    outages: tuple[Outage, ...] = (),
) -> Simulation:
    """Make customers, orders and contacts: close to `events` facts over `years` of 365 days.

    70 % contacts, 10 % resolutions, 18 % orders and refunds, 2 % costs, to about a percent from
    50,000 events on. Raises ValueError for arguments that make no simulation.
    """
    limits = {"customers": (customers, 1), "events": (events, 1000), "years": (years, 1)}
    for name, (value, least) in limits.items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}, not {value}")
    if years > YEARS_MAX:
        raise ValueError(f"years must be at most {YEARS_MAX}, not {years}")

    def start() -> tuple[Run, Callable[[], int | None]]:
        plan = generator_plan(seed, years, events)
        plan = replace(plan, behaviour=replace(plan.behaviour, outages=outages))
        demand = Invented(customers, events, plan)
        run = Run(plan, demand)
        return run, lambda: demand.baseline_ppm(run)

    arguments = {"customers": customers, "events": events, "years": years}
    return Simulation("generate", arguments, start)


def write(folder: Path, simulation: Simulation) -> None:
    """Write `contacts.jsonl`, `resolutions.jsonl`, `orders.jsonl`, `costs.jsonl`, `truth.json`.

    Each file is in order of event time. The folder is made if it is missing; files are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = {
            topic: stack.enter_context((folder / f"{topic}.jsonl").open("wb"))
            for topic in SOURCE_NAMES
        }
        for topic, fact in simulation.events():
            files[topic].write(encode(fact) + b"\n")
    (folder / TRUTH_FILE).write_bytes(to_json(simulation.truth()))

"""A table of Faust whose records are the steps of signals: it says when a changelog is to be read.

Law: what a partition's state is, its changelog says and nobody else. It is forgotten when owners
change, and read anew by `take_over`: what Faust reads of it is counted as a sign of life and not
used, since Faust drops records it has fetched when owners change again meanwhile.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import faust
from faust.types import TP, EventT

from streams.faust_settings import FaustSettings
from streams.signal_steps import Table

TakingOver = Callable[[dict[int, Table]], Awaitable[None]]


class ChangelogTable(faust.Table[bytes, bytes]):
    """A plain table with a `Table` for each partition that is owned, in place of a dictionary."""

    epoch: int
    tables: dict[int, Table]
    take_over: TakingOver
    recovered: bool = False
    replayed: int = 0

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]]) -> None:
        """Count."""
        self.replayed += sum(1 for _ in batch)

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Forget everything."""
        self.recovered = False
        changelog = self.changelog_topic_name
        owned = sorted(tp.partition for tp in assigned if tp.topic == changelog)
        self.tables = {partition: Table(self.epoch) for partition in owned}
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Take over what is owned, unless owners have changed again."""
        tables = self.tables
        await self.take_over(tables)
        if self.tables is tables:
            self.recovered = True
        await super().on_recovery_completed(active_tps, standby_tps)


def changelog_of(app: faust.App, settings: FaustSettings, take_over: TakingOver) -> ChangelogTable:
    """Return an application's table, on the changelog that the settings name."""
    topic = app.topic(
        settings.prefix + settings.changelog,
        key_type=bytes,
        value_type=bytes,
        partitions=settings.partitions,
        compacting=True,
        acks=False,
        internal=True,
        allow_empty=True,
        maxsize=131_072,
    )
    table = ChangelogTable(
        app,
        name="signals",
        key_type=bytes,
        value_type=bytes,
        partitions=settings.partitions,
        changelog_topic=topic,
    )
    table.tables, table.epoch, table.take_over = {}, settings.epoch, take_over
    app.tables.add(table)
    return table

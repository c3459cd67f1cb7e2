"""A table of Faust that is the fold of its changelog, kept by partition.

Law: what a partition's state is, its changelog says and nobody else; it is forgotten with the
partition, and read anew with it.
"""

from collections.abc import Iterable
from typing import Any

import faust
from faust.types import TP, EventT

from streams.signal_steps import Table


class ChangelogTable(faust.Table[bytes, bytes]):
    """A plain table whose records are folded by partition, in place of a dictionary."""

    tables: dict[int, Table]
    epoch: int
    recovered: bool = False
    replayed: int = 0

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]]) -> None:
        """Take over records of the changelog, in their order."""
        for event in batch:
            message = event.message
            assert message.key is not None
            self.tables[message.partition].replay(message.key, message.value)
            self.replayed += 1

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Forget what is not ours, and what will be read anew."""
        self.recovered = False
        changelog = self.changelog_topic_name
        self.tables = {
            tp.partition: self.tables.get(tp.partition, Table(self.epoch))
            if tp not in newly_assigned
            else Table(self.epoch)
            for tp in assigned
            if tp.topic == changelog
        }
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Take over what was read."""
        for table in self.tables.values():
            table.take_over()
        self.recovered = True
        await super().on_recovery_completed(active_tps, standby_tps)

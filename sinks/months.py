"""Monthly sums of the ledger, made of months that have been quiet, for reports over years.

Law: a month's sums count only while the ledger's month stands as it stood when they were begun:
the same table, the same newest block, as many blocks. Every insert changes that, merging parts
does not. So whoever reads them and finds them valid reads exactly what the ledger would say, and a
month that they lack, or that has changed, is read from the ledger itself.

Sums of entries that are not spread over a term. Of each month the last two editions are kept, so
that who is reading one may end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from sinks.store import Store
from streams.clock import Deadline

DIMENSIONS: Final = ("queue", "team", "agent_id", "channel", "reason", "kind", "product_class")
FACETS: Final[Mapping[str, tuple[str, ...]]] = {
    "lines": (),
    "place": ("queue", "team", "channel", "kind", "product_class"),
    "agent": ("queue", "team", "agent_id"),
    "reason": ("queue", "channel", "reason", "kind"),
}
"""Which dimensions each facet keeps: fewer make fewer sums, and all together would save nothing."""

QUIET: Final = timedelta(seconds=60)
"""How long a month must have stood still before its sums are made."""
EDITIONS_KEPT: Final = 2

_STANDING: Final = """
SELECT toUInt32(partition) AS month, toUInt64(max(max_block_number)) AS last_block,
    toUInt64(sum(max_block_number - min_block_number + 1)) AS blocks
FROM system.parts
WHERE database = currentDatabase() AND table = 'ledger' AND active
GROUP BY partition"""
_LEDGER: Final = """
SELECT uuid AS ledger FROM system.tables
WHERE database = currentDatabase() AND name = 'ledger'"""
_MADE: Final = f"SELECT month, last_block, blocks FROM v_rollup_months WHERE ledger IN ({_LEDGER})"
_REGISTER: Final = f"""
INSERT INTO rollup_months (month, ledger, last_block, blocks)
SELECT {{month:UInt32}}, ledger, {{last_block:UInt64}}, {{blocks:UInt64}} FROM ({_LEDGER})"""
_MADE_NOW: Final = f"""
SELECT DISTINCT _partition_id AS partition_id FROM rollup_monthly
WHERE month = {{month:UInt32}} AND last_block = {{last_block:UInt64}} AND blocks = {{blocks:UInt64}}
    AND ledger IN ({_LEDGER})"""
_OLD: Final = f"""
SELECT partition_id FROM (
    SELECT _partition_id AS partition_id, row_number() OVER
        (ORDER BY ledger IN ({_LEDGER}) DESC, last_block DESC) AS place
    FROM (SELECT DISTINCT _partition_id, ledger, last_block FROM rollup_monthly
        WHERE month = {{month:UInt32}}))
WHERE place > {{kept:UInt8}}"""
VALID: Final = f"""
SELECT groupArray((month, last_block, blocks)) FROM ({_MADE})
WHERE (month, last_block, blocks) IN ({_STANDING})"""
"""The array of the editions that count now."""
OF_THIS_LEDGER: Final = f"ledger IN ({_LEDGER})"
"""The condition for sums that were made of the ledger as it is named now."""


@dataclass(frozen=True, slots=True, order=True)
class Edition:
    """A month of the ledger as it stood."""

    month: int
    last_block: int
    blocks: int


class Asking(Protocol):
    """What can be asked."""

    def query(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> list[dict[str, object]]:
        """Return the rows of a SELECT."""
        ...


def standing(store: Asking) -> set[Edition]:
    """Return how the ledger's months stand now."""
    return _editions(store.query(_STANDING))


def valid(store: Asking) -> set[Edition]:
    """Return the months whose sums say what the ledger says, as of this moment."""
    # In this order: what is made after the look at the ledger is not counted.
    made = _editions(store.query(_MADE))
    return made & standing(store) if made else set()


def _editions(rows: list[dict[str, object]]) -> set[Edition]:
    return {Edition(*(int(str(row[n])) for n in ("month", "last_block", "blocks"))) for row in rows}


class Months:
    """Makes the sums of quiet months; used by the sink's thread alone."""

    def __init__(self, store: Store, quiet: timedelta = QUIET) -> None:
        self._store = store
        self._quiet = quiet
        self._seen: dict[Edition, Deadline] = {}
        self._look_at = Deadline(timedelta())

    def step(self) -> bool:
        """Make the sums of one month that has been quiet; return whether there was one.

        Looks at the ledger once in a while only; calling it often costs nothing.
        """
        if self._look_at.seconds_left() > 0.0:
            return False
        now = standing(self._store)
        lacking = now - valid(self._store)
        self._seen = {each: self._seen.get(each) or Deadline(self._quiet) for each in lacking}
        ready = [each for each, quiet in self._seen.items() if quiet.seconds_left() == 0.0]
        if not ready:
            self._look_at = Deadline(self._quiet / 4)
            return False
        self.make(max(ready))
        return True

    def make_all(self) -> None:
        """Make the sums of every month that lacks them, quiet or not."""
        for edition in sorted(standing(self._store) - valid(self._store)):
            self.make(edition)

    def make(self, edition: Edition) -> None:
        """Make the sums of a month, say that they are there, drop all but the last editions."""
        known = {"month": edition.month, "last_block": edition.last_block, "blocks": edition.blocks}
        for facet, kept in FACETS.items():
            columns = ["line", "currency", *kept]
            shown = [name if name in kept else f"'' AS {name}" for name in DIMENSIONS]
            self._store.insert(
                "INSERT INTO rollup_monthly (month, ledger, last_block, blocks, facet, line,"
                f" currency, {', '.join(DIMENSIONS)}, amount_minor)"
                f" WITH (SELECT ledger FROM ({_LEDGER})) AS source"
                " SELECT {month:UInt32}, source, {last_block:UInt64}, {blocks:UInt64},"
                f" {{facet:String}}, line, currency, {', '.join(shown)},"
                " sum(toInt128(amount_minor))"
                " FROM v_ledger WHERE month = {month:UInt32} AND term_start IS NULL"
                f" GROUP BY {', '.join(columns)}",
                {**known, "facet": facet},
            )
        for row in self._store.query(_MADE_NOW, known):
            # One merged part is read without a merge: that is what makes a view over it cheap.
            self._on_partition("OPTIMIZE TABLE rollup_monthly PARTITION ID '{}' FINAL", row)
        self._store.insert(_REGISTER, known)
        for row in self._store.query(_OLD, {"month": edition.month, "kept": EDITIONS_KEPT}):
            self._on_partition("ALTER TABLE rollup_monthly DROP PARTITION ID '{}'", row)

    def _on_partition(self, statement: str, row: Mapping[str, str]) -> None:
        assert row["partition_id"].isalnum()
        self._store.command(statement.format(row["partition_id"]))

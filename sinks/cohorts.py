"""Sums of contacts and of order facts, made while they are quiet, for reports over years.

Law: sums count only while their table stands as it stood when they were begun and when they were
done: the same table, the same newest block, as many blocks; those of contacts only for the *as of*
at which their maturity was judged. So whoever reads them and finds them valid reads exactly what
the table would say; else the table itself is read.

Neither table is cut by time, since a higher revision may move a contact: one that changes voids
all sums. They serve books at rest, however large; books in motion are read as they are.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from sinks.months import Asking
from sinks.store import Store
from streams.clock import Deadline, Stopwatch
from streams.facts import Millis

About: TypeAlias = Literal["contacts", "orders"]
DIMENSIONS: Final = ("queue", "team", "agent_id", "channel", "reason", "kind")
TIME: Final = "time"
FACETS: Final[Mapping[str, tuple[str, ...]]] = {
    "place": ("queue", "team", "channel", "kind"),
    "agent": ("queue", "team", "agent_id"),
    "reason": ("queue", "channel", "reason", "kind"),
}
"""Which dimensions each facet by month keeps. The facet TIME has none, and the time instead."""
SLOT_MS: Final = 900_000
"""Local days of every zone have begun at a quarter of an hour of UTC since 1972."""

QUIET: Final = timedelta(seconds=60)
"""How long a table must have stood still before its sums are made."""
ROWS_MIN: Final = 200_000
"""Below this many rows a table is read as fast as its sums."""
SHARE: Final = 0.05
"""Making sums takes at most about this share of the time."""
EDITIONS_KEPT: Final = 2

_STANDING: Final = """
SELECT (SELECT uuid FROM system.tables
        WHERE database = currentDatabase() AND name = '{about}') AS source,
    toUInt64(max(max_block_number)) AS last_block,
    toUInt64(sum(max_block_number - min_block_number + 1)) AS blocks, toUInt64(sum(rows)) AS held
FROM system.parts WHERE database = currentDatabase() AND table = '{about}' AND active"""
_MADE: Final = """
SELECT source, last_block, blocks, as_of FROM v_rollup_editions WHERE about = '{about}'"""
_AS_OF: Final = "SELECT toUnixTimestamp64Milli(max(event_time_max)) AS as_of FROM v_batches"
OF_EDITION: Final = (
    "source = {source:UUID} AND last_block = {last_block:UInt64} AND blocks = {blocks:UInt64}"
    " AND as_of = {as_of:Int64}"
)
"""The condition for rows of an edition; its parameters are `Edition.parameters`."""
_EDITION: Final = (
    "{source:UUID} AS source, {last_block:UInt64} AS last_block, {blocks:UInt64} AS blocks,"
    " {as_of:Int64} AS as_of"
)
_REGISTER: Final = (
    "INSERT INTO rollup_editions (source, last_block, blocks, as_of, about)"
    f" SELECT {_EDITION}, {{about:String}}"
)
_SLOT: Final = f"""fromUnixTimestamp64Milli(
    toInt64(floor(toUnixTimestamp64Milli({{at}}) / {SLOT_MS})) * {SLOT_MS}, 'UTC')"""
COUNTS: Final = (
    *("n", "handled_n", "abandoned_n", "unidentified_n", "matured_n", "young_n"),
    *("offering_n", "unoffered", "declined"),
)
SUMS: Final = ("credit_sum", "fee_sum", "cost_sum", "square_sum")
_FIGURES: Final = """
    countIf(each = '') AS n, countIf(each = '' AND handled) AS handled_n,
    countIf(each = '' AND abandoned) AS abandoned_n,
    countIf(each = '' AND NOT identified) AS unidentified_n,
    countIf(each = '' AND handled AND toUnixTimestamp64Milli(matures_at) <= {as_of})
        AS matured_n,
    countIf(each = '' AND toUnixTimestamp64Milli(matures_at) > {as_of}) AS young_n,
    countIf(each = '' AND notEmpty(offer_classes)) AS offering_n,
    sumIf(arrayCount((e, o) -> e AND NOT o, offers_eligible, offers_offered), each = '')
        AS unoffered,
    sumIf(arrayCount((o, a) -> o AND NOT a, offers_offered, offers_accepted), each = '')
        AS declined,
    sum(toInt128(credits_minor[indexOf(credit_currencies, each)])) AS credit_sum,
    sumIf(toInt128(fee_minor), each != '' AND each = cost_currency) AS fee_sum,
    sumIf(toInt128(cost_minor), each != '' AND each = cost_currency) AS cost_sum,
    sumIf(toInt128(credits_minor[indexOf(credit_currencies, each)])
        * toInt128(credits_minor[indexOf(credit_currencies, each)]), handled) AS square_sum"""


def counting(about: About) -> str:
    """Return the query of an array of the editions that count now: one, or none."""
    made, standing = _MADE.format(about=about), _STANDING.format(about=about)
    return (
        f"SELECT groupArray((source, last_block, blocks, as_of)) FROM ({made})"
        " WHERE (assumeNotNull(source), last_block, blocks) IN"
        f" (SELECT assumeNotNull(source), last_block, blocks FROM ({standing}))"
    )


def contacts_summed(facet: str, as_of: str = "{as_of:Int64}") -> str:
    """Return the query of a facet's sums from the contacts; `as_of` is an expression."""
    kept = FACETS.get(facet, ())
    slot = _SLOT.format(at="ended_at") if facet == TIME else "toDateTime64(0, 3, 'UTC')"
    shown = [f"toString({name})" if name in kept else "''" for name in DIMENSIONS]
    keys = ("month", "slot_at", "each", *(f"_{name}" for name in DIMENSIONS))
    named = ", ".join(f"{value} AS _{name}" for name, value in zip(DIMENSIONS, shown, strict=True))
    return (
        f"SELECT toUInt32(toYYYYMM(ended_at)) AS month, {slot} AS slot_at, {named}, each,"
        f" {_FIGURES.format(as_of=as_of)} FROM v_contacts"
        " ARRAY JOIN arrayDistinct(arrayConcat([''],"
        " arrayMap(c -> toString(c), credit_currencies), [toString(cost_currency)])) AS each"
        f" GROUP BY {', '.join(keys)}"
    )


ORDERS_SUMMED: Final = (
    f"SELECT {_SLOT.format(at='occurred_at')} AS slot_at, toString(currency) AS of_currency,"
    " toString(kind) AS of_kind, sum(toInt128(net_effect_minor)) AS amount_minor"
    " FROM v_orders GROUP BY slot_at, of_currency, of_kind"
)


@dataclass(frozen=True, slots=True)
class Edition:
    """A table as it stood, by the id of the table; of contacts also when they were looked at."""

    source: str
    last_block: int
    blocks: int
    as_of: Millis

    def parameters(self) -> dict[str, object]:
        """Return what OF_EDITION asks for."""
        return asdict(self)


def edition(store: Asking, about: About, as_of: Millis | None = None) -> Edition | None:
    """Return the sums that say what the table says at this moment, None if there are none."""
    # In this order: what is made after the look at the table is not counted.
    made = [_edition(row, int(str(row["as_of"]))) for row in store.query(_MADE.format(about=about))]
    if not made:
        return None
    now, _ = _standing(store, about, as_of or 0)
    return now if now in made else None


def _standing(store: Asking, about: About, as_of: Millis) -> tuple[Edition, int]:
    """Return how a table stands now, and how many rows it holds."""
    (row,) = store.query(_STANDING.format(about=about))
    return _edition(row, as_of), int(str(row["held"]))


def _edition(row: Mapping[str, object], as_of: Millis) -> Edition:
    return Edition(str(row["source"]), int(str(row["last_block"])), int(str(row["blocks"])), as_of)


class Cohorts:
    """Makes the sums of tables that have been quiet; used by the sink's thread alone."""

    def __init__(self, store: Store, quiet: timedelta = QUIET, rows_min: int = ROWS_MIN) -> None:
        self._store = store
        self._quiet = quiet
        self._rows_min = rows_min
        self._seen: dict[About, tuple[Edition, Deadline]] = {}
        self._look_at = Deadline(timedelta())

    def step(self) -> bool:
        """Make the sums of one table that has been quiet; return whether there was one.

        Looks at the store once in a while only; calling it often costs nothing.
        """
        if self._look_at.seconds_left() > 0.0:
            return False
        self._look_at = Deadline(self._quiet / 4)
        about: About
        for about in ("contacts", "orders"):
            if self._is_ready(about):
                watch = Stopwatch()
                self.make(about)
                self._look_at = Deadline(max(self._quiet / 4, watch.elapsed() / SHARE))
                return True
        return False

    def make_all(self) -> None:
        """Make the sums that are lacking, however quiet or large their table is."""
        about: About
        for about in ("contacts", "orders"):
            if edition(self._store, about, self._as_of(about)) is None:
                self.make(about)

    def make(self, about: About) -> None:
        """Make the sums of a table; keep the last editions. Nothing counts if it changed."""
        begun, _ = _standing(self._store, about, self._as_of(about))
        known = begun.parameters()
        if about == "orders":
            self._store.insert(
                "INSERT INTO rollup_orders (source, last_block, blocks, as_of, slot_at, currency,"
                f" kind, amount_minor) SELECT {_EDITION}, * FROM ({ORDERS_SUMMED})",
                known,
            )
        for facet in (TIME, *FACETS) if about == "contacts" else ():
            figures = ", ".join((*COUNTS, *SUMS))
            self._store.insert(
                "INSERT INTO rollup_contacts (source, last_block, blocks, as_of, facet, month,"
                f" slot_at, {', '.join(DIMENSIONS)}, currency, {figures})"
                f" SELECT {_EDITION}, {{facet:String}}, * FROM ({contacts_summed(facet)})",
                {**known, "facet": facet},
            )
        for row in self._store.query(
            f"SELECT DISTINCT _partition_id AS id FROM rollup_{about} WHERE {OF_EDITION}", known
        ):
            # One merged part is read without a merge: that is what makes a view over it cheap.
            self._on_partition(about, "OPTIMIZE TABLE {} PARTITION ID '{}' FINAL", row)
        if _standing(self._store, about, begun.as_of)[0] == begun:
            self._store.insert(_REGISTER, {**known, "about": about})
        for row in self._store.query(_old(about), {**known, "kept": EDITIONS_KEPT}):
            self._on_partition(about, "ALTER TABLE {} DROP PARTITION ID '{}'", row)

    def _is_ready(self, about: About) -> bool:
        """Return whether a table lacks its sums, is worth them, and has been quiet."""
        now, held = _standing(self._store, about, self._as_of(about))
        if held < max(self._rows_min, 1) or edition(self._store, about, now.as_of) == now:
            return False
        seen = self._seen.get(about)
        if seen is None or seen[0] != now:
            seen = self._seen[about] = (now, Deadline(self._quiet))
        return seen[1].seconds_left() == 0.0

    def _as_of(self, about: About) -> Millis:
        """Return at what time maturity is judged; what orders come to does not hang on it."""
        if about == "orders":
            return 0
        (row,) = self._store.query(_AS_OF)
        return 0 if row["as_of"] is None else int(str(row["as_of"]))

    def _on_partition(self, about: About, statement: str, row: Mapping[str, object]) -> None:
        name = str(row["id"])
        assert name.replace("-", "").isalnum()
        self._store.command(statement.format(f"rollup_{about}", name))


def _old(about: About) -> str:
    return f"""
SELECT id FROM (
    SELECT _partition_id AS id, row_number() OVER
        (ORDER BY source = {{source:UUID}} DESC, last_block DESC, as_of DESC) AS place
    FROM (SELECT DISTINCT _partition_id, source, last_block, as_of FROM rollup_{about}))
WHERE place > {{kept:UInt8}}"""

"""Reading files into records: JSON lines, CSV by a map, Parquet."""

from pnl.importing.examples import DEMO_CHURN, DEMO_SETTINGS, INVOICES, INVOICES_MAP, example
from pnl.importing.keys import facts_of
from pnl.importing.maps import RecordMap, load_map
from pnl.importing.reading import Reading, read
from pnl.importing.rows import FORMATS, Format, ImportProblem, Rounding, Row

__all__ = [
    "DEMO_CHURN",
    "DEMO_SETTINGS",
    "FORMATS",
    "INVOICES",
    "INVOICES_MAP",
    "Format",
    "ImportProblem",
    "Reading",
    "RecordMap",
    "Rounding",
    "Row",
    "example",
    "facts_of",
    "load_map",
    "read",
]

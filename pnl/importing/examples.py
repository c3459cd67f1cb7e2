"""Where the shipped example files lie: beside the packages, in a checkout."""

from pathlib import Path
from typing import Final

from pnl.importing.rows import ImportProblem

INVOICES: Final = "online_retail_II_2009_2010_invoices.csv.gz"
INVOICES_MAP: Final = "online_retail.toml"
DEMO_SETTINGS: Final = "demo.toml"
DEMO_CHURN: Final = "demo_churn.json"


def example(name: str) -> Path:
    """Return the path of an example file. ImportProblem if this is not a checkout."""
    path = Path(__file__).resolve().parents[2] / "examples" / name
    if not path.is_file():
        raise ImportProblem(f"{path}: the example file is missing; run from a full checkout")
    return path

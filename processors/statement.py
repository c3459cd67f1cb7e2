"""The chart of accounts: the lines of the statement, in order, and which total each belongs to.

Law (I2, I8): a total is the plain sum of its lines, a line the plain sum of its entries, by any
dimension. Revenue is positive, cost negative. D1 and D2 are estimates: they stand below the
booked result with an interval and are never added to it.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from processors.results import Basis

Total: TypeAlias = Literal["A", "B", "C", "D"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the statement: its title, how its amounts are known, its total."""

    line: str
    title: str
    basis: Basis
    total: Total
    controllable: bool = True


LINES: Final[tuple[Line, ...]] = (
    Line("A1a", "In-contact sales", "booked", "A"),
    Line("A1b", "Post-contact attributed sales", "booked", "A"),
    Line("A2a", "Support fees, per event", "booked", "A"),
    Line("A2b", "Support fees, per minute and term", "booked", "A"),
    Line("A2c", "Support fees, flat", "booked", "A"),
    Line("A3", "Maintenance, earned", "accrued", "A"),
    Line("A4", "Upgrades", "booked", "A"),
    Line("A5", "Refunds, chargebacks, credit notes", "booked", "A"),
    Line("B", "Cost of goods", "standard", "B"),
    Line("C1", "Handling", "standard", "C"),
    Line("C2", "Idle and shrinkage", "standard", "C"),
    Line("C3", "Channel and platform", "standard", "C"),
    Line("C4", "Concessions", "booked", "C"),
    Line("C5", "Overhead", "allocated", "C", controllable=False),
    Line("C6", "Training, attrition, leadership", "booked", "C"),
    Line("C7", "Absorption variance", "booked", "C"),
)
ESTIMATES: Final[tuple[Line, ...]] = (
    Line("D1", "Retention credit", "estimated", "D"),
    Line("D2", "Referral credit", "estimated", "D"),
)
"""Below the booked result, each with its interval; their sum D is the estimated contribution."""
LINE_NAMES: Final = tuple(line.line for line in LINES + ESTIMATES)
BOOKED_NAMES: Final = tuple(line.line for line in LINES)
LINE: Final = {line.line: line for line in LINES + ESTIMATES}
BOOKED_RESULT: Final = "booked_result"
"""The booked operating result: A + B + C."""

ORDER_LINES: Final = ("A1a", "A1b", "A2a", "A2b", "A2c", "A3", "A4", "A5")
"""The lines an order's net revenue can stand on, besides the control lines."""

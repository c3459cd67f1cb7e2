"""What a history comes to: sums per account, whoever worked them out and in whatever order.

Two books are equal exactly when every sum is equal. An account is everything a report can group
by; how many entries made up its sum is left out on purpose.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.facts import Offer


class Account(NamedTuple):
    """Where an amount stands: its line, time, order, contact and dimensions."""

    key: str
    line: str
    currency: str
    effective_at: int
    order_id: str = ""
    contact_id: str = ""
    leg_id: str = ""
    case_id: str = ""
    product_class: str = ""
    queue: str = ""
    team: str = ""
    agent_id: str = ""
    channel: str = ""
    reason: str = ""
    kind: str = ""
    tariff: str = ""


@dataclass(frozen=True, kw_only=True)
class OrderBook:
    """One sale: its worth and who earned it. Credits map (contact or None, class) to amounts."""

    currency: str
    gross: int
    net: int
    unattributed: int
    credits: dict[tuple[str | None, str], int]


@dataclass(frozen=True, kw_only=True)
class ChainBook:
    """One chain: what it cost (negative), was charged, how it ended, what it earned so far.

    `opinions` are CSAT, NPS, CES; `experiment` is its id and arm.
    """

    handled: bool
    abandoned: bool
    cost: int
    fee: int
    case_id: str
    opinions: tuple[int | None, int | None, int | None]
    resolved_at: int | None
    resolutions: int
    reopened: bool
    escalated: bool
    offers: tuple[Offer, ...]
    legs: tuple[str, ...]
    experiment: tuple[str, str]
    queue: str
    agent_id: str
    channel: str
    credits: dict[str, int]


@dataclass
class Books:
    """All sums of a history.

    `balance` holds whole amounts per account, `daily` the days of spread amounts per account
    with its time left out (`effective_at` = 0), `variance` that of estimates. Nothing that sums to
    zero is kept.
    """

    balance: dict[Account, int] = field(default_factory=lambda: defaultdict(int))
    daily: dict[tuple[Account, int], int] = field(default_factory=lambda: defaultdict(int))
    variance: dict[Account, int] = field(default_factory=lambda: defaultdict(int))
    orders: dict[tuple[str, str], OrderBook] = field(default_factory=dict)
    chains: dict[tuple[str, str], ChainBook] = field(default_factory=dict)

    def book(self, account: Account, amount: int, days: dict[int, int] | None = None) -> None:
        """Add an amount to an account; `days` says how it is spread, and must sum to it."""
        self.balance[account] += amount
        if days is not None:
            assert sum(days.values()) == amount
            for day, part in days.items():
                self.daily[account._replace(effective_at=0), day] += part

    def closed(self) -> "Books":
        """Return the books without what sums to zero: these compare by value."""
        return Books(
            balance={account: amount for account, amount in self.balance.items() if amount},
            daily={place: amount for place, amount in self.daily.items() if amount},
            variance={account: square for account, square in self.variance.items() if square},
            orders=dict(self.orders),
            chains=dict(self.chains),
        )

    def total(self, line: str, **where: object) -> int:
        """Sum a line over all accounts whose named parts have the given values."""
        return sum(
            amount
            for account, amount in self.balance.items()
            if account.line == line
            and all(getattr(account, name) == value for name, value in where.items())
        )

    def of_lines(self, line: str, by: str) -> dict[object, int]:
        """Sum a line by one part of its accounts, without zeros."""
        sums: dict[object, int] = defaultdict(int)
        for account, amount in self.balance.items():
            if account.line == line:
                sums[getattr(account, by)] += amount
        return {value: amount for value, amount in sums.items() if amount}

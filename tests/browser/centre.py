"""A small contact centre for the page: ninety days of facts, the same for every run.

Some of it is hostile on purpose: a queue and a reason whose names are markup.
"""

from collections.abc import Iterator
from random import Random
from typing import Final

from streams.facts import Contact, Cost, Fact, Offer, Order
from tests.support.facts import BASE, DAY, MINUTE, contact, cost, line, order, refund, resolution

DAYS: Final = 75
CONTACTS_A_DAY: Final = 44
HOSTILE_QUEUE: Final = '<img src=x onerror="window.hacked=1">'
HOSTILE_REASON: Final = "</td><script>window.hacked=1</script>"
QUEUES: Final = ("billing", "orders", "returns", "technical", HOSTILE_QUEUE)
TEAMS: Final = {"billing": "North", "orders": "North", "returns": "South", "technical": "South"}
CHANNELS: Final = ("voice", "voice", "chat", "email")
REASONS: Final = ("invoice question", "delivery late", "wrong item", "upgrade advice", "login")
OUTCOMES: Final = ("resolved", "resolved", "resolved", "unresolved", "escalated")
MORNING: Final = BASE - 4 * 3_600_000


def facts(seed: int = 1) -> list[Fact]:
    """Return everything that happened, oldest first within each customer."""
    dice = Random(seed)
    made: list[Fact] = []
    for day in range(DAYS):
        for number in range(CONTACTS_A_DAY):
            made += _contact_and_after(dice, day, f"k-{day:02}{number:02}")
        made += _day_costs(day)
    return [*made, adjustment(), *one_of_each()]


def _contact_and_after(dice: Random, day: int, name: str) -> Iterator[Fact]:
    customer = f"c-{dice.randrange(400):03}" if dice.random() < 0.78 else None
    queue = dice.choices(QUEUES, (30, 30, 20, 19, 1))[0]
    ended = MORNING + day * DAY + dice.randrange(12 * 60) * MINUTE
    abandoned = dice.random() < 0.06
    case = f"case-{name}" if customer and dice.random() < 0.4 else None
    yield _leg(dice, name, ended, customer, queue, abandoned=abandoned, case=case)
    if case:
        outcome = dice.choice(OUTCOMES)
        yield resolution(
            f"r-{name}", case, ended + 5 * MINUTE, outcome=outcome, customer_id=customer
        )
    if customer and dice.random() < 0.22:
        yield from _order(dice, day, name, customer, ended, queue)


def _leg(
    dice: Random,
    name: str,
    ended: int,
    customer: str | None,
    queue: str,
    *,
    abandoned: bool,
    case: str | None,
) -> Contact:
    talk = 0 if abandoned else dice.randrange(90, 900) * 1000
    return contact(
        name,
        ended,
        talk_ms=talk,
        started_at=ended - talk - 30_000,
        connected_at=None if abandoned else ended - talk,
        wrap_ms=0 if abandoned else 40_000,
        wait_ms=25_000,
        abandoned=abandoned,
        customer_id=customer,
        case_id=case,
        queue=queue,
        team=TEAMS.get(queue),
        channel=dice.choice(CHANNELS),
        agent_id=None if abandoned else f"a{dice.randrange(1, 15):02}",
        reason=HOSTILE_REASON if dice.random() < 0.004 else dice.choice(REASONS),
        offers=(Offer(product_class="upgrade", eligible=True, offered=True, accepted=False),),
    )


def _order(
    dice: Random, day: int, name: str, customer: str, ended: int, queue: str
) -> Iterator[Order]:
    after = int(dice.expovariate(1 / 5.0) * DAY)
    at = ended + after
    if at > MORNING + DAYS * DAY:
        return
    pence = round(dice.lognormvariate(8.1, 0.7))
    sold_in = name if after < DAY // 8 else None
    lines = [line("l1", pence, cost_minor=round(pence * 0.55))]
    if queue == "technical" and dice.random() < 0.3:
        first = f"2024-{3 + day // 30:02}-15"
        lines.append(line("l2", 12_000, "maintenance", term_start=first, term_end="2025-03-15"))
    if dice.random() < 0.15:
        lines.append(line("l3", pence // 3, "upgrade", cost_minor=pence // 9))
    identity = f"o-{name[2:]}"
    yield order(identity, at, customer_id=customer, lines=tuple(lines), contact_id=sold_in)
    if dice.random() < 0.12 and at + 6 * DAY < MORNING + DAYS * DAY:
        yield refund(f"{identity}-r", identity, at + 6 * DAY, pence // 2, customer_id=customer)


def _day_costs(day: int) -> Iterator[Cost]:
    at = MORNING + day * DAY
    if day % 30 == 0:
        start = f"2024-{3 + day // 30:02}-01"
        end = f"2024-{4 + day // 30:02}-01"
        yield cost(
            f"rent-{day}", "overhead", at, 600_000, customer_id=None,
            period_start=start, period_end=end,
        )  # fmt: skip
        yield cost(f"pay-{day}", "payroll", at, 4_000_000, customer_id=None)
    if day % 6 == 0:
        yield cost(f"gift-{day}", "concession", at, 1_500, customer_id="c-001", queue="billing")


def one_of_each() -> list[Fact]:
    """Return a case of two contacts, its order and a refund, under names that tests can use."""
    at = MORNING + 20 * DAY
    who = {"customer_id": "c-plain", "case_id": "case-plain", "agent_id": "a01"}
    return [
        contact("k-plain", at, team="North", reason="upgrade advice", **who),
        contact("k-plain-2", at + DAY, queue="orders", channel="chat", **who),
        resolution("r-plain", "case-plain", at + DAY, customer_id="c-plain"),
        order("o-plain", at + 3 * DAY, 10_000, customer_id="c-plain"),
        refund("o-plain-r", "o-plain", at + 9 * DAY, 3_333, customer_id="c-plain"),
    ]


def adjustment() -> Order:
    """Return a write-off of bad debt."""
    return order("bad-debt", MORNING + 40 * DAY, -25_000, kind="adjustment", customer_id=None)


def one_more_sale(number: int) -> list[Fact]:
    """Return a contact and the sale made in it, after everything else: what makes figures move."""
    at = MORNING + DAYS * DAY + number * MINUTE
    return [
        contact(
            f"k-new-{number}", at, customer_id=f"c-new-{number}", queue="orders", agent_id="a01"
        ),
        order(
            f"o-new-{number}",
            at + 1000,
            123_457,
            customer_id=f"c-new-{number}",
            contact_id=f"k-new-{number}",
        ),
    ]


def unreadable() -> bytes:
    """Return a record that can only become a dead letter."""
    return b'{"contact_id": "k-9036'

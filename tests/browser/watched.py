"""Customers at risk and windows for the page: put into the store as journeys and signals would."""

from collections.abc import Iterator
from random import Random
from typing import Final

import msgspec

from processors.signal_records import (
    ChurnReason,
    ChurnRecord,
    WindowRecord,
    WindowSize,
    window_key,
)
from sinks.store import Store
from streams.facts import Millis
from streams.log import EventLog, Outgoing
from streams.topics import CHURN, WINDOWS
from tests.browser.centre import DAYS, HOSTILE_QUEUE, MORNING, QUEUES, TEAMS
from tests.support.facts import DAY, MINUTE
from tests.support.stored import copy

NOW: Final = MORNING + DAYS * DAY
CUSTOMERS: Final = 160
SIGNALS: Final = ("complaint", "unresolved", "bad_csat", "refund", "long_wait", "repeated")
SIZES: Final[dict[WindowSize, Millis]] = {"5m": 5 * MINUTE, "1h": 60 * MINUTE, "1d": DAY}


def watched(log: EventLog, store: Store) -> None:
    """Bring everything in by the log: the sink takes away what the log does not have."""
    encode = msgspec.json.Encoder().encode
    log.append(CHURN, [Outgoing(each.customer_id.encode(), encode(each)) for each in risks()])
    log.append(WINDOWS, [Outgoing(window_key(each), encode(each)) for each in windows()])
    copy(log, store)


def risks(seed: int = 3) -> Iterator[ChurnRecord]:
    """Yield customers in every state, one of whom nothing is known."""
    dice = Random(seed)
    for number in range(CUSTOMERS):
        queue = dice.choice(QUEUES)
        now = round(dice.betavariate(2, 3) * 1_000_000)
        rising = number % 9 == 1
        before = max(20_000, now - dice.randrange(150_000, 300_000)) if rising else now - 5_000
        at = NOW - dice.randrange(3 * 1440) * MINUTE
        reasons = tuple(
            ChurnReason(signal=signal, logit_milli=dice.randrange(100, 700), at=at, fact="c",
                        label="heuristic" if number % 2 else "learnt")
            for signal in dice.sample(SIGNALS, number % 3)
        )  # fmt: skip
        yield ChurnRecord(
            customer_id=HOSTILE_QUEUE if number == 5 else f"w-{number:03}",
            version=1,
            as_of=at,
            logged_at=at,
            risk_ppm=None if number == 7 else now,
            week_ago_ppm=before,
            explained_ppm=dice.choice([100_000, 800_000]) if rising else None,
            cause_kind="contact",
            cause_id=f"k-{number}",
            reasons=reasons,
            high=now >= 600_000,
            value_minor=round(dice.lognormvariate(9, 0.6)),
            currency="GBP",
            method="bgnbd",
            model="bgnbd 2024-05-14 1a2b3c4d",
            horizon_days=90,
            queue=queue,
            team=TEAMS.get(queue, ""),
            channel="voice",
            contact_id="k-plain" if number == 0 else f"k-{number}",
            contact_at=at,
        )


def windows(seed: int = 4) -> Iterator[WindowRecord]:
    """Yield the last window of each size and queue."""
    dice = Random(seed)
    for place, (size, length) in enumerate(SIZES.items()):
        start = NOW // length * length
        for queue in QUEUES:
            handled = dice.randrange(4, 12) * 4**place
            each = dice.randrange(200, 700)
            yield WindowRecord(
                size=size,
                start=start,
                end=start + length,
                queue=queue,
                channel="voice",
                currency="GBP",
                chains=handled,
                handled=handled,
                credit_minor=each * handled,
                credit_minor2=str(each * each * handled * 3),
                revision=1,
                as_of=NOW,
            )

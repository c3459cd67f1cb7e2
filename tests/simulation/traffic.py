"""What arrives: facts of a few customers in any order, some twice, and records nobody can read."""

from functools import cache
from random import Random
from typing import NamedTuple

from streams import codec, topics
from streams.facts import Contact, Cost, Fact, Order, Period, Resolution, key_of
from streams.invalid import Invalid
from tests.poison.corpus import Poison, corpus
from tests.properties.histories import GUEST, History, history_by
from tests.support.facts import BASE, DAY

NOW_MS = BASE + 60 * DAY
"""When a simulation begins: all facts of the histories are in the past by then."""
_TOPIC = {
    Contact: topics.CONTACTS,
    Resolution: topics.RESOLUTIONS,
    Order: topics.ORDERS,
    Cost: topics.COSTS,
    Period: topics.PERIODS,
}


class Arrival(NamedTuple):
    """A record on its way into the log, and the fact that it states."""

    topic: str
    key: bytes | None
    value: bytes | None
    stated: tuple[str, Fact] | None


@cache
def poisons() -> list[Poison]:
    """Return the small ones of the corpus."""
    return [poison for poison in corpus() if len(poison.value or b"") < 4_000]


def arrivals_by(random: Random, customers: int, facts_max: int) -> list[Arrival]:
    """Draw what arrives, in the order in which it does."""
    history: History = []
    for number in range(customers):
        key = GUEST if number == 0 else f"customer-{number}"
        history += history_by(random.choice, keys=(key,), size_max=facts_max)
    history = [(key_of(fact), fact) for _, fact in history]
    history += random.sample(history, len(history) // 6)
    random.shuffle(history)
    arrivals = [_arrival(key, fact) for key, fact in history]
    for poison in random.sample(poisons(), random.randint(0, 8)):
        bad = Arrival(poison.topic, poison.key, poison.value, None)
        arrivals.insert(random.randint(0, len(arrivals)), bad)
    return arrivals


def _arrival(key: str, fact: Fact) -> Arrival:
    """Return the record of a fact; histories also have facts that contradict themselves."""
    topic, value = _TOPIC[type(fact)], codec.encode(fact)
    is_one = not isinstance(codec.decode(topic, key.encode(), value, NOW_MS), Invalid)
    return Arrival(topic, key.encode(), value, (key, fact) if is_one else None)

"""What becomes of customers of whom nothing more is heard: nothing of them is kept for ever.

Law: they are silent by the event time of their partition, which is the largest of any customer in
it, and never later than the log's own time. So it stands still while no facts come, and history
that is read in ends what it would have ended then.
"""

from typing import Final

import msgspec

from processors.alert_rules import AlertRules
from processors.alerts import decide, is_open, wakes_at
from processors.conditions import DAY_MS, HOUR_MS
from processors.rising import CALM, Watch
from processors.signal_records import AlertRecord
from processors.signal_state import (
    CustomerState,
    customer_of,
    customers_in,
    put_customer,
    put_time,
    set_wake,
    time_of,
    whole_rules,
)
from processors.window_book import State
from streams.facts import Millis

SWEPT_MAX: Final = 500
"""So many customers at most are forgotten, or their alerts ended, by one tick."""


def watch_at(rules: AlertRules, held: CustomerState, time: Millis) -> Watch:
    """Return what still holds of a customer at an event time: after too long a silence nothing."""
    silent_ms, watch = time - held.at, held.watch
    rising = rules.expire_ms("churn_customer") or silent_ms + 1
    fading = rules.expire_ms("fading") or silent_ms + 1
    return Watch(watch.rising and silent_ms < rising, watch.fading and silent_ms < fading)


def note_time(state: State, at: Millis) -> None:
    """Let the event time of customers go on, in whole hours: it is written no more often."""
    time, hour = time_of(state), at - at % HOUR_MS
    if hour > time.at:
        put_time(state, msgspec.structs.replace(time, at=hour))


def keep(rules: AlertRules, state: State, name: str, after: CustomerState, time: Millis) -> None:
    """Write a customer's state; one of whom nothing is open, and no cool-down runs, is gone."""
    alerts = [each.alert for each in after.memory.known if each.alert is not None]
    matters = after.watch != CALM or any(
        is_open(alert) or time - alert.raised_at < rules.cooldown_ms for alert in alerts
    )
    if matters or after.memory.snoozes:
        put_customer(state, name, after)
    else:
        state.pop(name, None)
    set_wake(state, name, wakes_at(after.memory))


def sweep(rules: AlertRules, state: State, now: Millis) -> list[AlertRecord]:
    """Once in a day of event time, end and forget what is of customers who went silent."""
    time = time_of(state)
    if time.at - time.swept < DAY_MS:
        return []
    told: list[AlertRecord] = []
    changed = 0
    for name in customers_in(state):
        held = customer_of(state, name)
        assert held is not None
        records, memory = decide(rules, (), held.memory, now, whole_rules(state), time.at)
        after = CustomerState(watch_at(rules, held, time.at), memory, held.at)
        keep(rules, state, name, after, max(held.at, time.at))
        told += records
        changed += name not in state or after != held
        if changed == SWEPT_MAX:
            return told
    put_time(state, msgspec.structs.replace(time, swept=time.at))
    return told

"""Which settings two policies differ in, as a person would name them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from processors.policy import BEGINNING, DAY_MS, UNBOOKED, Policy, PolicyBook
from streams.facts import Millis

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FROM_BEGINNING: Final = "beginning"
"""How a person writes the date before all others."""
_KEYS: Final = {
    "timezone": "[reporting] timezone",
    "currency": "[reporting] currency",
    "model": "[attribution] model",
    "lookback_ms": "[attribution] lookback_days",
    "lookback_ms_by_class": "[attribution] lookback_days_by_class",
    "unlinked": "[refunds] unlinked",
    "horizon_ms": "[attribution] horizon_days",
    "first_contact_resolution_ms": "[attribution] first_contact_resolution_days",
    "loaded_per_hour_minor": "[rates] loaded_per_hour_minor",
    "loaded_per_hour_minor_by_queue": "[rates] by_queue",
    "loaded_per_hour_minor_by_agent": "[rates] by_agent",
    "margin_ppm": "[margin] default_ppm",
    "margin_ppm_by_class": "[margin] by_class",
    "tariffs": "[tariffs]",
    "channels": "[channels]",
}
_SHOWN: Final = 3


def differing(one: Policy, other: Policy) -> list[str]:
    """Return what differs, one key each: `[rates] loaded_per_hour_minor (3000, now 3200)`."""
    was, now = _flat(one), _flat(other)
    return [
        f"{key} ({_said(was.get(key))}, now {_said(now.get(key))})"
        for key in sorted(was.keys() | now.keys())
        if was.get(key) != now.get(key)
    ]


def what_differs(one: PolicyBook, other: PolicyBook, since: Millis) -> str:
    """Return what differs at a moment, in part of a sentence."""
    keys = differing(one.at(since), other.at(since))
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more


def all_that_differs(one: PolicyBook, other: PolicyBook) -> list[str]:
    """Return a sentence for each date from which on something differs, or other things do."""
    told: list[str] = []
    last: list[str] = []
    for moment in sorted({since for book in (one, other) for since, _ in book.versions}):
        keys = differing(one.at(moment), other.at(moment))
        if keys != last:
            told.append(
                f"From {date_of(moment, other)} on: {', '.join(keys) or 'nothing differs'}."
            )
        last = keys
    return told


def date_of(since: Millis, book: PolicyBook) -> str:
    """Return the local date of a moment, as `--from` takes it."""
    if since <= BEGINNING:
        return FROM_BEGINNING
    moment = _EPOCH + timedelta(milliseconds=since)
    return moment.astimezone(book.zone).date().isoformat()


def _flat(policy: Policy) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in Policy.__dataclass_fields__:
        if name in UNBOOKED:
            continue
        key, value = _KEYS.get(name, name), getattr(policy, name)
        if isinstance(value, Mapping):
            for inner, each in value.items():
                place = f"{key[:-1]}.{inner}]" if " " not in key else f"{key}.{inner}"
                found[place] = each // DAY_MS if name.startswith("lookback") else each
        else:
            found[key] = value // DAY_MS if key.endswith("_days") else value
    return found


def _said(value: Any) -> str:  # noqa: ANN401 - whatever a setting may hold
    """Return a value as a person would write it."""
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is None:
        return "not set" if value is None else str(value)
    return " ".join(f"{name}={getattr(value, name)}" for name in fields)

"""What to book when what is due is not what was booked.

Law: booked + corrections(booked, due) = due, entry for entry. So a repeated fact books nothing,
and the order in which facts arrived leaves no trace in a sum.

Entries are never updated. One that is no longer due is reversed whole and the right one added:
the bare difference would sum to the same, but nobody could read from it what had been believed.
Entries that stand unchanged are left alone.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from processors.results import Change, Entry


def corrections(booked: Sequence[Entry], due: Sequence[Entry]) -> list[Entry]:
    """Return the entries that turn those booked into those due: reversals before additions.

    An entry that takes no other's place is neither: its `change` is empty.
    """
    if not booked:
        return list(due)
    if booked == due:
        return []
    same = 0
    for old, new in zip(booked, due, strict=False):
        if old != new:
            break
        same += 1
    stale = list(booked[same:])
    fresh: list[Entry] = []
    for entry in due[same:]:
        try:
            stale.remove(entry)
        except ValueError:
            fresh.append(entry)
    reversals = [
        replace(
            entry,
            amount_minor=-entry.amount_minor,
            spread_minor=-entry.spread_minor,
            variance_minor2=-entry.variance_minor2,
            change="reversal",
        )
        for entry in stale
    ]
    change: Change = "addition" if stale else ""
    return reversals + [replace(entry, change=change) for entry in fresh]

"""The event time before which nothing more is expected: the least of those sources that speak.

Law: a source that has said nothing for `idle_ms` is not waited for, and when nobody speaks event
time runs on at the clock's speed. Whom nobody waited for comes late, and corrects.
"""

from collections.abc import Mapping

import msgspec

from streams.facts import Millis


class Source(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A source partition: its stream time, and when it was last heard of by the log's clock."""

    event_time: Millis | None
    heard_at: Millis


def heard(source: Source | None, event_time: Millis | None, logged_at: Millis) -> Source:
    """Return a source after a record of it; neither of its times goes back."""
    if source is None:
        return Source(event_time, logged_at)
    times = [each for each in (source.event_time, event_time) if each is not None]
    return Source(max(times, default=None), max(source.heard_at, logged_at))


def watermark(sources: Mapping[int, Source], clock: Millis, idle_ms: int) -> Millis | None:
    """Return the event time before which nothing more is expected; None before the first fact."""
    speaking = [
        source.event_time
        for source in sources.values()
        if source.event_time is not None and clock - source.heard_at < idle_ms
    ]
    if speaking:
        return min(speaking)
    known = [source for source in sources.values() if source.event_time is not None]
    if not known:
        return None
    last = max(known, key=lambda source: source.event_time or 0)
    assert last.event_time is not None
    silent = clock - max(source.heard_at for source in known) - idle_ms
    return last.event_time + max(0, silent)

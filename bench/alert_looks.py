"""How often looks are wrong in quiet weeks, and how often they see what was made up for them.

python -m bench.alert_looks [--seeds 31-32] [--weeks 24]

The same worlds and the same judgements as `bench.alerts`, without the host, the windows' state and
the cool-down: several times as fast, so that quiet weeks are many enough for five percent to mean
something. Beside each share of false alerts stands a power: the same figures, changed by hand.
"""

import argparse
import json
from collections import Counter, defaultdict
from typing import Any, Final

import msgspec

from bench.alerts import BASELINE_WEEKS, WEEK_MS, ZONE, World, world
from pnl.simulator.centre import QUEUES
from processors import earning
from processors.conditions import DAY_MS, HOUR_MS, Condition, Thresholds
from processors.confidence import wilson
from processors.detecting import Held
from processors.rising import SegmentWatch, segments
from processors.service import REACH, missed, overload
from processors.signal_records import ActivityRecord
from processors.usual import Usual, by_queue, usual_of
from processors.windows import PANE_MS, ZERO, Part, Tally, Window, bounds, delta_of
from streams.facts import Millis

_T: Final = Thresholds()
_LATE_MS: Final = 3 * 60_000
_LOOKED: Final = 18
"""The hour (UTC) of the day at which it is asked whether missed offers show."""


def _add(sums: dict[str, Tally], name: str, tally: Tally) -> None:
    sums[name] = sums[name].plus(tally) if name in sums else tally


class Looks:
    """What is told of a world, and how often what was made up is seen."""

    def __init__(self, begin: Millis) -> None:
        self.begin = begin
        self.told: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        self.seen: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self._panes: defaultdict[Millis, dict[str, Tally]] = defaultdict(dict)
        self._hours: defaultdict[Millis, dict[str, Tally]] = defaultdict(dict)
        self._days: defaultdict[Millis, dict[str, Part]] = defaultdict(dict)
        self._usual = Usual(-1)
        self._held: defaultdict[str, dict[str, Held]] = defaultdict(dict)
        self._risk: dict[str, SegmentWatch] = {}

    def take(self, at: Millis, value: bytes) -> None:
        """Take what a record changes."""
        for cell in msgspec.json.decode(value, type=ActivityRecord).cells:
            minute, segment, tally, squares = delta_of(cell)
            place = "\0".join(segment.split("\0")[:2])
            pane, hour = minute - minute % PANE_MS, minute - minute % HOUR_MS
            if at - pane < 3 * HOUR_MS:
                _add(self._panes[pane], place, tally)
            if at - hour < 2 * DAY_MS:
                _add(self._hours[hour], place, tally)
            day = self._days[bounds("1d", minute, ZONE)[0]]
            before = day.get(segment, Part(ZERO, "0"))
            day[segment] = msgspec.structs.replace(
                before,
                tally=before.tally.plus(tally),
                squares=str(int(before.squares) + int(squares)),
            )

    def pane(self, end: Millis) -> None:
        """Look at the last panes."""
        usual = self._of(end - PANE_MS)
        panes = [self._panes.get(end - age * PANE_MS, {}) for age in range(1, REACH + 1)]
        if usual.weeks and any(panes):
            found, self._held["overload"] = overload(
                panes, usual, self._held["overload"], _T, end, "p"
            )
            self._note(found)

    def hour(self, end: Millis) -> None:
        """Look at the day so far."""
        usual = self._of(end - HOUR_MS)
        if not usual.weeks:
            return
        so_far: dict[str, Tally] = {}
        for at in range(usual.day - usual.day % HOUR_MS, end, HOUR_MS):
            for queue, tally in by_queue(self._hours.get(at, {})).items():
                _add(so_far, queue, tally)
        last = by_queue(self._hours.get(end - HOUR_MS, {}))
        rising, self._risk = segments(last, so_far, usual, self._risk, _T, end, "p")
        unmade, self._held["missed"] = missed(so_far, usual, self._held["missed"], _T, end, "p")
        self._note((*rising, *unmade))
        if end >= self.begin and end // HOUR_MS % 24 == _LOOKED:
            for queue in usual.queues.keys() & so_far.keys():
                now = so_far[queue]
                twice = now._replace(offers_missed=min(now.handled, 2 * now.offers_missed))
                made = missed({**so_far, queue: twice}, usual, {}, _T, end, "p")[0]
                mine = [each for each in made if each.subject == f"queue={queue}"]
                self._ask("missed_opportunity", mine)

    def day(self, start: Millis, end: Millis) -> None:
        """Look at a day that has closed."""
        self._days[start] = {name: _closed(part) for name, part in self._days[start].items()}
        days, ages = [], []
        for age in range(29):
            first, last = bounds("1d", start + DAY_MS // 2 - age * DAY_MS, ZONE)
            if first in self._days:
                days.append(Window("1d", first, last, closed=True, parts=self._days[first]))
                ages.append(age)
        fell, self._held["fell"] = earning.revenue_drop(days, ages, self._held["fell"], _T, "p")
        hard, self._held["hard"] = earning.pressed(days, ages, self._held["hard"], _T, "p")
        self._note((*fell, *hard))
        if start >= self.begin and start // DAY_MS % 7 == 0:
            half = [_poorer(day) if age < 7 else day for day, age in zip(days, ages, strict=True)]
            self._ask("revenue_drop", earning.revenue_drop(half, ages, {}, _T, "p")[0])
            pressing = [
                _harder(day) if age < 7 else day for day, age in zip(days, ages, strict=True)
            ]
            self._ask("pressure", earning.pressed(pressing, ages, {}, _T, "p")[0])

    def _of(self, at: Millis) -> Usual:
        day, _ = bounds("1d", at, ZONE)
        if self._usual.day != day:
            self._usual = usual_of(day, lambda start: self._hours.get(start, {}), ZONE)
        return self._usual

    def _note(self, found: tuple[Condition, ...]) -> None:
        for each in found:
            if each.shows and each.at >= self.begin:
                week = (each.at - self.begin) // WEEK_MS
                self.told[each.rule_kind].add((each.subject, week))

    def _ask(self, kind: str, found: Any) -> None:  # noqa: ANN401
        self.asked[kind] += len(found)
        self.seen[kind] += sum(each.holds for each in found)


def _closed(part: Part) -> Part:
    return msgspec.structs.replace(
        part,
        closed_handled=part.tally.handled,
        closed_credit_minor=part.tally.credit_minor,
        closed_squares=part.squares,
    )


def _scaled(part: Part, numerator: int, denominator: int) -> Part:
    """Return a part whose contacts earned so many times as much."""
    return msgspec.structs.replace(
        part,
        closed_credit_minor=part.closed_credit_minor * numerator // denominator,
        closed_squares=str(int(part.closed_squares) * numerator**2 // denominator**2),
    )


def _poorer(day: Window) -> Window:
    """Return a day on which half as much was earned."""
    parts = {name: _scaled(part, 1, 2) for name, part in day.parts.items()}
    return msgspec.structs.replace(day, parts=parts)


def _harder(day: Window) -> Window:
    """Return a day with twice the sales, twice the bad ratings, and twice the refunds."""
    parts = {}
    for name, part in day.parts.items():
        tally = part.tally
        harmed = tally._replace(csat_bad=2 * tally.csat_bad, refund_minor=2 * tally.refund_minor)
        parts[name] = msgspec.structs.replace(_scaled(part, 2, 1), tally=harmed)
    return msgspec.structs.replace(day, parts=parts)


def looks(found: World) -> Looks:
    """Look at all that a world published, each window once it has closed."""
    looked = Looks(found.start + BASELINE_WEEKS * WEEK_MS)
    first = found.published[0][0]
    pane, hour = first - first % PANE_MS + PANE_MS, first - first % HOUR_MS + HOUR_MS
    day, midnight = bounds("1d", first, ZONE)
    for at, rows in found.published:
        until = at - _LATE_MS
        while pane <= until:
            looked.pane(pane)
            pane += PANE_MS
        while hour <= until:
            looked.hour(hour)
            hour += HOUR_MS
        while midnight <= until:
            looked.day(day, midnight)
            day, midnight = bounds("1d", midnight, ZONE)
        for _, _, _, value in rows:
            assert value is not None
            looked.take(at, value)
    return looked


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="31-32", help="FIRST-LAST")
    parser.add_argument("--weeks", type=int, default=24)
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--events-a-day", type=int, default=2800)
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    weeks, loud, seen, asked = 0, Counter[str](), Counter[str](), Counter[str]()
    for seed in range(int(first), int(last or first) + 1):
        found = world(
            seed, given.weeks, given.customers, given.events_a_day, a_week=0, journeys=False
        )
        looked = looks(found)
        weeks += (given.weeks - BASELINE_WEEKS) * len(QUEUES)
        loud.update({kind: len(each) for kind, each in looked.told.items()})
        loud["any"] += len(
            {
                (subject.partition(";")[0], week)
                for told in looked.told.values()
                for subject, week in told
            }
        )
        seen.update(looked.seen)
        asked.update(looked.asked)
    print(
        json.dumps(
            {
                "quiet_segment_weeks": weeks,
                "loud": loud,
                "loud_of_any_kind_95": wilson(loud["any"], weeks),
                "made_up": asked,
                "made_up_and_seen": seen,
            }
        )
    )


if __name__ == "__main__":
    main()

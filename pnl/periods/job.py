"""The period job: figures stated where they changed, periods closed when it is time.

Law: the job writes facts and nothing else, each with an identity and a revision of its own, so a
run that is killed or repeated leaves nothing behind. A period is closed at a cut at which its
figures are what the ledger says (DEF-CLOSE), and once for ever.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Lock
from typing import Final

from pnl.errors import CheckFailed, UserError
from pnl.periods.cut import Cut, Reaching
from pnl.periods.figures import news, payroll_figures
from pnl.periods.names import Named
from pnl.periods.reading import Reader
from pnl.reports.as_reported import Closing, closings
from pnl.reports.freshness import as_of
from pnl.reports.period import first_instant, local_date
from pnl.reports.sql import Queryable
from processors.policy import Policies, book_of
from streams.clock import Clock, Deadline, pause
from streams.codec import encode
from streams.facts import Millis, Period
from streams.log import Busy, EventLog, Outgoing
from streams.topics import PERIODS

LINES: Final = ("C2", "C7")
"""What a run works out of payroll."""
WAIT_SECONDS: Final = 0.02
APPEND_FACTS_MAX: Final = 500
_MS: Final = timedelta(milliseconds=1)
AT_ONCE: Final = timedelta(seconds=30)
"""How long a call goes on to another month: a worker shows that it is alive in between."""
PATIENCE: Final = timedelta(minutes=10)
"""How long a command waits for all to be booked and stored before it says that it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a month stands: closed, or until when it is provisional.

    `live`: most of it was booked before its end + lateness, so it closes by itself.
    """

    period: Named
    closing: Closing | None
    closes_at: Millis
    live: bool


class PeriodJob:
    """Works out figures and closes periods. Safe to use from several threads; two jobs do no harm.

    `lateness` is how long after its end a live month stays open (DEF-CLOSE).
    """

    def __init__(
        self, log: EventLog, store: Queryable, rules: Policies, clock: Clock, lateness: timedelta
    ) -> None:
        self._log = log
        self._store = store
        self._rules = book_of(rules)
        self._clock = clock
        self._lock = Lock()
        self.lateness = lateness
        self._seen: Cut | None = None
        self._owed: set[Named] = set()
        self._imported: set[str] = set()
        self._estimated: set[str] = set()
        self._estimated_on: date | None = None
        self._to_estimate: list[Named] = []

    def refresh(self, cut: Cut, *, running: bool = True) -> int:
        """State what changed since the last cut; return how many facts that took.

        0: then all figures before the cut are what the facts before it say. Without `running`
        months that are not over wait: their figures move with every contact.
        """
        with self._lock:
            reader = self._reader(cut)
            if self._seen != cut:
                self._owed.update(reader.touched(self._seen))
                self._seen = cut
            stated = 0
            spent = Deadline(AT_ONCE)
            for period in sorted(self._owed, key=lambda each: each.start):
                if stated and not spent.seconds_left():
                    break
                if running or self._is_over(period):
                    new = self._state(reader, (period,))
                    stated += new
                    if not new:
                        self._owed.discard(period)
            return stated

    def estimate(self, cut: Cut) -> int:
        """State D1 and D2 where they are due, once per day of event time; return how many facts.

        Of an open month that is over it is what it looks like, of a closed one what happened, once
        all of that has passed.
        """
        known = as_of(self._store)
        if known is None:
            return 0
        with self._lock:
            reader = self._reader(cut)
            if local_date(known, self._rules.zone) != self._estimated_on:
                self._estimated_on = local_date(known, self._rules.zone)
                self._to_estimate = list(reader.extent())
            stated = 0
            spent = Deadline(AT_ONCE)
            while self._to_estimate and spent.seconds_left():
                stated += self._estimate(reader, (self._to_estimate.pop(),), known)
            return stated

    def close_due(self, cut: Cut) -> tuple[str, ...]:
        """Close the live months whose time has come; return their names.

        The cut must be one at which there was nothing to state. Both event time and the clock
        must have passed the month's end and its lateness: a fact with a wrong date closes nothing.
        """
        known = as_of(self._store)
        if known is None:
            return ()
        now = min(known, self._clock.now_ms())
        with self._lock:
            reader, closed = self._reader(cut), closings(self._store)
            due = []
            for period in reader.extent():
                closes_at = self._closes_at(period)
                if period.name in closed or period.name in self._imported or now < closes_at:
                    continue
                if reader.is_live(period, closes_at):
                    due.append(period)
                else:  # what comes now comes after the deadline: it stays so
                    self._imported.add(period.name)
            return () if self._estimate_once(reader, due, known) else self._close(cut, due)

    def close(self, period: Named, cut: Cut) -> tuple[str, ...] | None:
        """Close a period and the months in it; return what was closed, None if figures changed.

        Then the caller asks again with the next cut. UserError while the period is not over.
        Estimates are made once before: every new fact moves them.
        """
        if not self._is_over(period):
            raise UserError(f"{period.name} is not over: it ends with the day before {period.end}.")
        with self._lock:
            reader = self._reader(cut)
            if self._state(reader, period.months()):
                return None
            until = as_of(self._store)
            if until is not None and self._estimate_once(reader, period.months(), until):
                return None
            known = closings(self._store)
            wanted = {each.name: each for each in (*period.months(), period)}
            return self._close(cut, [each for name, each in wanted.items() if name not in known])

    def standing(self, cut: Cut) -> tuple[Standing, ...]:
        """Return how every month with entries stands, oldest first."""
        reader, known = self._reader(cut), closings(self._store)
        return tuple(
            Standing(
                period=period,
                closing=known.get(period.name),
                closes_at=self._closes_at(period),
                live=reader.is_live(period, self._closes_at(period)),
            )
            for period in reader.extent()
        )

    def _is_over(self, period: Named) -> bool:
        return first_instant(period.end, self._rules.zone) <= self._clock.now_ms()

    def _closes_at(self, period: Named) -> Millis:
        return first_instant(period.end, self._rules.zone) + self.lateness // _MS

    def _reader(self, cut: Cut) -> Reader:
        return Reader(self._store, self._rules, cut)

    def _state(self, reader: Reader, periods: Iterable[Named]) -> int:
        """Append what is new of these months; return how many facts that is."""
        known = as_of(self._store)
        stated = 0
        for period in periods:
            end = first_instant(period.end, self._rules.zone)
            at = end - 1 if known is None else min(known, end - 1)
            figures = payroll_figures(reader, period, self._rules)
            facts = news(period, figures, reader.booked(period), at, LINES)
            self._append(facts)
            stated += len(facts)
        return stated

    def _estimate_once(self, reader: Reader, periods: Sequence[Named], until: Millis) -> int:
        """State the estimates of months, unless that was done for their closing before."""
        missing = [each for each in periods if each.name not in self._estimated]
        stated = self._estimate(reader, missing, until)
        self._estimated.update(each.name for each in missing)
        return stated

    def _estimate(self, reader: Reader, periods: Iterable[Named], until: Millis) -> int:
        """Append the estimates that are due and new of these months; return how many facts."""
        # They bring large libraries along, which a statement does not need.
        from pnl.periods.estimates import LINES as ESTIMATED
        from pnl.periods.estimates import estimate_figures, is_mature, is_trued_up

        closed = closings(self._store)
        facts: list[Period] = []
        for period in periods:
            end = first_instant(period.end, self._rules.zone)
            if until < end:
                continue
            booked = reader.booked(period)
            settled = is_trued_up(booked) or not is_mature(period, self._rules.newest, until)
            if period.name in closed and settled:
                continue
            figures = estimate_figures(self._store, self._rules, period, until)
            facts += news(period, figures, booked, end - 1, ESTIMATED)
        self._append(facts)
        return len(facts)

    def _close(self, cut: Cut, periods: Iterable[Named]) -> tuple[str, ...]:
        facts = [
            Period(
                event_id=f"{each.name}/close",
                period=each.name,
                kind="close",
                occurred_at=first_instant(each.end, self._rules.zone) - 1,
                cut=cut.places(),
            )
            for each in periods
        ]
        self._append(facts)
        return tuple(fact.period for fact in facts)

    def _append(self, facts: list[Period]) -> None:
        for start in range(0, len(facts), APPEND_FACTS_MAX):
            part = facts[start : start + APPEND_FACTS_MAX]
            self._log.append(
                PERIODS, [Outgoing(fact.period.encode(), encode(fact)) for fact in part]
            )


def cuts(log: EventLog, patience: timedelta = PATIENCE) -> Iterator[Cut]:
    """Yield cuts, each of what is in the log when it is asked for. CheckFailed after `patience`."""
    deadline = Deadline(patience)
    while True:
        reaching = Reaching(log)
        while (cut := _reached(reaching)) is None:
            if not deadline.seconds_left():
                raise CheckFailed(
                    "What is in the log is not all applied and stored; is a worker missing?"
                )
            pause(WAIT_SECONDS)
        yield cut


def settle(job: PeriodJob, log: EventLog, patience: timedelta = PATIENCE) -> int:
    """State figures until there is nothing to state; return how many facts that took."""
    stated = 0
    for cut in cuts(log, patience):
        new = job.refresh(cut)
        if not new:
            break
        stated += new
    return stated


def close_now(
    job: PeriodJob, log: EventLog, period: Named, patience: timedelta = PATIENCE
) -> tuple[str, ...]:
    """Close a period as soon as its figures stand; return what was closed, and is stored now."""
    closed: tuple[str, ...] | None = None
    for cut in cuts(log, patience):
        if closed is not None:
            return closed
        closed = job.close(period, cut)
        if closed == ():
            break
    return closed or ()


def _reached(reaching: Reaching) -> Cut | None:
    try:
        return reaching.cut()
    except Busy:
        return None

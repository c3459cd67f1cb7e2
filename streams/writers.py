"""From a fact to the object its contract writes: the inverse of `streams.readers`.

Nothing is checked: what a fact of ours holds is what is written.
"""

from typing import Any

from msgspec.structs import asdict

from streams import facts, wire
from streams.facts import Fact, LocalDate, Millis
from streams.grammar import written


def to_wire(fact: Fact) -> wire.Object:
    """Return the fact as its JSON object, times as text; absent fields have their defaults."""
    values = asdict(fact)
    if isinstance(fact, facts.Contact):
        return _contact(fact, values)
    values["occurred_at"] = written(fact.occurred_at)
    if isinstance(fact, facts.Order):
        values["lines"] = tuple([_line(line) for line in fact.lines])
        return wire.Order(**values)
    if isinstance(fact, facts.Resolution):
        return wire.Resolution(**values)
    if isinstance(fact, facts.Period):
        values["lines"] = tuple([_period_line(line) for line in fact.lines])
        values["cut"] = tuple([wire.CutPlace(**asdict(place)) for place in fact.cut])
        return wire.Period(**values)
    values["period_start"] = _moment(fact.period_start)
    values["period_end"] = _moment(fact.period_end)
    return wire.Cost(**values)


def _contact(fact: facts.Contact, values: dict[str, Any]) -> wire.Contact:
    values["started_at"] = written(fact.started_at)
    values["ended_at"] = written(fact.ended_at)
    if fact.connected_at is not None:
        values["connected_at"] = written(fact.connected_at)
    if fact.fee is not None:
        values["fee"] = wire.Fee(**asdict(fact.fee))
    if fact.experiment is not None:
        values["experiment"] = wire.Experiment(**asdict(fact.experiment))
    values["offers"] = tuple([wire.Offer(**asdict(offer)) for offer in fact.offers])
    return wire.Contact(**values)


def _line(line: facts.OrderLine) -> wire.OrderLine:
    values = asdict(line)
    values["term_start"] = _moment(line.term_start)
    values["term_end"] = _moment(line.term_end)
    return wire.OrderLine(**values)


def _period_line(line: facts.PeriodLine) -> wire.PeriodLine:
    return wire.PeriodLine(**(asdict(line) | {"effective_at": written(line.effective_at)}))


def _moment(at: Millis | LocalDate | None) -> str | None:
    return written(at) if isinstance(at, int) else at

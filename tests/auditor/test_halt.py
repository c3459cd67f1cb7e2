"""An alarm about money halts the sink until a person lets it go on, for a reason that is kept."""

from datetime import timedelta

import msgspec

from pnl.auditor.auditor import Auditor
from pnl.auditor.findings import Found
from pnl.auditor.notices import AuditRecord, Notices, raise_alarms, resume
from processors.policy import Policy
from streams.clock import ManualClock
from streams.log import TopicPartition
from streams.memory_log import MemoryLog, MemoryPlace
from streams.topics import AUDIT, BATCHES, CONTACTS, LEDGER
from tests.auditor.test_planted import lose_an_entry, more_facts, torn
from tests.auditor.world import GRACE, NOW, RULES, laws, made
from tests.support.stored import journey

MONEY = Found("A1", "batch 1-0-0", "holds -1 entries")
LAG = Found("A2", "pnl.ledger.v1/0@7", "not stored")


def empty() -> MemoryLog:
    """Return an empty log."""
    return MemoryLog(MemoryPlace(ManualClock(), 2))


def test_nothing_halts_the_sink_at_first() -> None:
    """Without an alarm there is nothing to resume."""
    log = empty()
    assert Notices(log).halted() is None
    assert resume(log, "why not", 1) is None
    assert log.end_offsets(AUDIT)[0] == 0


def test_an_alarm_about_money_halts_and_another_does_not() -> None:
    """Being behind is no reason to store nothing."""
    log = empty()
    raise_alarms(log, [LAG], 1, halting=True)
    assert Notices(log).halted() is None
    raise_alarms(log, [MONEY], 2, halting=False)
    assert Notices(log).halted() is None
    raise_alarms(log, [MONEY], 3, halting=True)
    assert Notices(log).halted() == "halted by the auditor: A1: batch 1-0-0: holds -1 entries"


def test_a_reason_lets_the_sink_go_on_and_is_kept() -> None:
    """Resuming says what had halted it; the topic keeps who said why."""
    log = empty()
    raise_alarms(log, [MONEY], 1, halting=True)
    assert resume(log, "repaired", 2) is not None
    assert Notices(log).halted() is None
    last = msgspec.json.decode(log.read(AUDIT, 0, 1, 1)[0].value or b"", type=AuditRecord)
    assert (last.kind, last.reason, last.at) == ("resume", "repaired", 2)


def test_halted_is_looked_up_again_after_a_second() -> None:
    """Another process's alarm reaches a sink that asks before each batch."""
    log = empty()
    seen = Notices(log)
    assert seen.halted() is None
    raise_alarms(log, [MONEY], 1, halting=True)
    seen.refresh()
    assert seen.halted() is not None


def test_a_restart_goes_on_where_all_added_up() -> None:
    """Positions are committed for the partitions that add up, and for no others."""
    world = made()
    lose_an_entry(world)
    world.audited()
    committed = world.log.committed("auditor")
    assert committed[TopicPartition(LEDGER, 1)] == world.log.end_offsets(LEDGER)[1]
    assert committed[TopicPartition(BATCHES, 1)] == world.log.end_offsets(BATCHES)[1]
    more_facts(world)
    journey(world.log)
    world.stored_all()
    assert laws(world.audited()) <= {"A4"}


def test_what_came_visible_late_is_no_breach() -> None:
    """A commit reaches each partition by itself: what is missing may come within the grace."""
    world = made()
    at = TopicPartition(LEDGER, 0)
    kept = world.place.records[at]
    last = kept.pop()
    auditor = Auditor(world.log, None, Policy(), world.clock, rules=RULES)
    while auditor.step(NOW):
        pass
    world.clock.advance(GRACE / 2)
    auditor.step(NOW)
    assert auditor.gauges()["uneven_seconds"] > 0
    kept.append(last)
    world.clock.advance(GRACE)
    while auditor.step(NOW):
        pass
    auditor.step(NOW)
    auditor.close()
    assert auditor.halted() is None
    assert Notices(world.log).alarms == []


def test_a_torn_batch_is_found_before_it_is_done_again() -> None:
    """What became visible alone is found while journeys are down."""
    world = made()
    torn(world, [BATCHES], replayed=False)
    assert "A1" in laws(world.audited())


def test_figures_tell_what_was_counted() -> None:
    """The figures grow with what is read; an alarm is counted by its law."""
    world = made()
    lose_an_entry(world)
    auditor = Auditor(world.log, None, Policy(), world.clock, rules=RULES)
    while auditor.step(NOW):
        pass
    world.clock.advance(GRACE)
    auditor.step(NOW)
    figures = auditor.gauges()
    auditor.close()
    assert figures["alarms_total/A1"] == 1
    assert figures["halted"] == 1
    assert figures["batches_total"] == sum(world.log.end_offsets(BATCHES).values())


def test_an_idle_auditor_waits_and_can_be_closed() -> None:
    """A step without anything to do takes no longer than it was given."""
    world = made()
    auditor = Auditor(world.log, None, Policy(), world.clock, rules=RULES)
    while auditor.step(NOW):
        pass
    assert auditor.step(timedelta(milliseconds=20)) == 0
    auditor.close()
    assert world.log.end_offsets(CONTACTS)

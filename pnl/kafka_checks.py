"""What `pnl doctor` looks at on a cluster: topics, brokers, groups, clients, clocks.

Law: everything that exactly-once rests on is looked at, and a finding says which money it may cost
and what to do. Nothing is changed; one record on the topics' card asks a broker for the time.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from pnl.engine import GROUP as JOURNEYS
from pnl.findings import Finding
from pnl.opening import kafka_settings, kafka_topics, librdkafka
from pnl.settings import Settings
from sinks.sink import GROUP as SINK
from streams.clock import Clock
from streams.kafka_card import broker_time
from streams.kafka_clients import KafkaClients
from streams.kafka_cluster import GroupFacts, read_groups
from streams.kafka_settings import KafkaSettings
from streams.kafka_topics import Checked
from streams.log import Busy, LogDamaged, LogFailed

GROUPS: Final = (JOURNEYS, SINK, "auditor")
SKEW_MAX: Final = timedelta(seconds=30)
FUTURE_MAX: Final = timedelta(hours=24)
"""A fact further in the future than this, by the broker's clock, becomes a dead letter."""


def kafka_findings(settings: Settings, clock: Clock) -> list[Finding]:
    """Return what is found on the cluster; one finding where it does not answer."""
    clients, log = librdkafka(), kafka_settings(settings)
    try:
        checked = kafka_topics(settings, clients).check()
        found = [*topic_findings(checked), *client_findings(log)]
        names = [log.prefix + group for group in GROUPS]
        found += group_findings(read_groups(clients.admin(log.admin()), names))
        if checked.card is not None:
            found += _clock(clients, log, clock)
    except (Busy, LogFailed, LogDamaged) as error:
        return [
            Finding(
                check="cluster",
                state="fail",
                text=str(error),
                todo="see [log.client]: address, security and rights of this user",
            )
        ]
    return found


def topic_findings(checked: Checked) -> Iterator[Finding]:
    """Yield what is wrong with topics, brokers and properties; or that nothing is."""
    for wrong in checked.wrongs:
        yield Finding(
            check="topics",
            state="fail" if wrong.grave else "warn",
            text=f"{wrong.where}: {wrong.setting} is {wrong.found}: {wrong.why}",
            todo=wrong.cure,
        )
    if not checked.wrongs:
        yield Finding(check="topics", state="ok", text="all are as they must be")


def client_findings(log: KafkaSettings) -> Iterator[Finding]:
    """Say whether every consumer of ours reads what is committed alone, by whom it is assigned."""
    for which in (log.consumer(JOURNEYS), log.consumer(SINK), log.reader()):
        if which["isolation.level"] != "read_committed":
            yield Finding(
                check="clients",
                state="fail",
                text="a consumer of ours reads records of transactions that may never happen",
                todo="remove isolation.level",
            )
            return
    yield Finding(
        check="clients", state="ok", text="they read committed records, assigned by range"
    )


def group_findings(groups: Mapping[str, GroupFacts]) -> Iterator[Finding]:
    """Yield groups whose members are not all ours: another assignor, another protocol."""
    for name, group in groups.items():
        foreign = group.members and group.assignor not in ("range", "")
        if foreign or group.protocol == "consumer":
            how = f"assignor {group.assignor or 'of the broker'}, protocol {group.protocol}"
            yield Finding(
                check="groups",
                state="fail",
                text=f"{name}: {how}: contacts and orders of a customer may be given to different "
                "workers, and no order would be credited",
                todo="stop what is in this group and is not ours; only `range` may assign it",
            )
        else:
            yield Finding(
                check="groups",
                state="ok" if group.members else "warn",
                text=f"{name}: {group.members} members",
                todo="" if group.members else "nobody works: start `pnl worker` or `pnl run`",
            )


def clock_finding(broker_ms: int, ours_ms: int) -> Finding:
    """Say how far a broker's clock is from ours: it is what facts and deletions go by."""
    skew = timedelta(milliseconds=abs(broker_ms - ours_ms))
    if skew <= SKEW_MAX:
        return Finding(check="clock", state="ok", text="brokers and this machine agree")
    ahead = "ahead of" if broker_ms > ours_ms else "behind"
    return Finding(
        check="clock",
        state="fail" if skew > FUTURE_MAX else "warn",
        text=f"a broker's clock is {skew.total_seconds():.0f} seconds {ahead} this machine's: "
        "`booked_at` and the age of what is deleted go by the broker's, and facts more than a day "
        "in its future become dead letters",
        todo="let brokers and workers keep time (NTP)",
    )


def _clock(clients: KafkaClients, log: KafkaSettings, clock: Clock) -> Iterator[Finding]:
    try:
        broker_ms = broker_time(clients, log)
    except (Busy, LogFailed) as error:
        yield Finding(
            check="clock",
            state="warn",
            text=f"a broker could not be asked for the time: {error}",
            todo="let this user write to the topics' card, or compare the clocks yourself",
        )
        return
    yield clock_finding(broker_ms, clock.now_ms())

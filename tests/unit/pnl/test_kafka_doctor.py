"""The doctor on Kafka: each misconfiguration has a finding with a cure."""

import pytest

from pnl.kafka_checks import client_findings, clock_finding, group_findings, topic_findings
from streams.kafka_cluster import ClusterFacts, GroupFacts
from streams.kafka_rules import Wrong
from streams.kafka_settings import KafkaSettings
from streams.kafka_topics import Checked

NOW_MS = 1_700_000_000_000
CLUSTER = ClusterFacts(identity="c", brokers=3, settings={}, topics={})


def wrong(*, grave: bool) -> Wrong:
    """Return a wrong setting."""
    return Wrong(
        where="orders", setting="x", found="1", wanted="2", why="money", cure="set it", grave=grave
    )


def test_what_is_wrong_with_topics_fails_or_warns() -> None:
    """What can lose records fails; each says why and what to do."""
    wrongs = (wrong(grave=True), wrong(grave=False))
    found = list(topic_findings(Checked(card=None, cluster=CLUSTER, wrongs=wrongs)))
    assert [each.state for each in found] == ["fail", "warn"]
    assert {(each.text, each.todo) for each in found} == {("orders: x is 1: money", "set it")}
    (fine,) = topic_findings(Checked(card=None, cluster=CLUSTER, wrongs=()))
    assert fine.state == "ok"


FOREIGN = {
    "another assignor": GroupFacts(members=2, assignor="cooperative-sticky", protocol="classic"),
    "another protocol": GroupFacts(members=2, assignor="uniform", protocol="consumer"),
}


@pytest.mark.parametrize("how", FOREIGN)
def test_a_foreign_member_of_a_group_fails(how: str) -> None:
    """Contacts and orders of a customer would be given to different workers."""
    (found,) = group_findings({"journeys": FOREIGN[how]})
    assert (found.state, found.todo != "") == ("fail", True)
    assert "no order would be credited" in found.text


def test_a_group_without_members_is_a_warning() -> None:
    """Nobody works; with members of ours all is well."""
    (idle,) = group_findings({"sink": GroupFacts(members=0, assignor="", protocol="classic")})
    (busy,) = group_findings({"sink": GroupFacts(members=3, assignor="range", protocol="classic")})
    assert (idle.state, busy.state) == ("warn", "ok")


class Dirty(KafkaSettings):
    """Settings whose readers would see what is not committed."""

    def reader(self) -> dict[str, object]:
        """Return a reader's properties."""
        return {**super().reader(), "isolation.level": "read_uncommitted"}


def test_our_consumers_read_committed_records() -> None:
    """One that did not is found."""
    client = {"bootstrap.servers": "x"}
    (fine,) = client_findings(KafkaSettings(client=client))
    (bad,) = client_findings(Dirty(client=client))
    assert (fine.state, bad.state) == ("ok", "fail")


@pytest.mark.parametrize(
    ("skew_s", "state"), [(0, "ok"), (29, "ok"), (-120, "warn"), (120, "warn"), (90_000, "fail")]
)
def test_a_brokers_clock_is_compared_with_ours(skew_s: int, state: str) -> None:
    """`booked_at` and the age of what is deleted go by it."""
    assert clock_finding(NOW_MS + skew_s * 1000, NOW_MS).state == state

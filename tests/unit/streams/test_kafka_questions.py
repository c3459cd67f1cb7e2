"""Answers of the client library that are none are not taken for offsets."""

from collections.abc import Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition

from streams.kafka_errors import error_of, is_passing
from streams.kafka_questions import listed, watermarks

PLACE = TopicPartition("ledger", 1)


class Admin:
    """Answers every question with one offset."""

    def __init__(self, offset: int) -> None:
        self.offset = offset

    def list_offsets(self, asked: Mapping[TopicPartition, Any], **_: Any) -> Any:
        """Answer at once."""
        done: Future[Any] = Future()
        done.set_result(SimpleNamespace(offset=self.offset))
        return dict.fromkeys(asked, done)


class Client:
    """Refuses as one that has heard of too few partitions, until it looks at the topic again."""

    def __init__(self, low_and_end: tuple[int, int] | None = (3, 7)) -> None:
        self.low_and_end = low_and_end
        self.knows = False

    def get_watermark_offsets(self, _: TopicPartition, **__: Any) -> tuple[int, int] | None:
        """Answer if the topic is known."""
        if not self.knows:
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))
        return self.low_and_end

    def list_topics(self, topic: str, timeout: float) -> None:
        """Get to know the topic."""
        assert (topic, timeout > 0) == ("ledger", True)
        self.knows = True


def test_an_offset_that_a_leader_said_is_returned() -> None:
    """0 is the end of an empty partition, and an answer."""
    assert listed(Admin(0), {PLACE: None}, IsolationLevel.READ_UNCOMMITTED) == {1: 0}  # type: ignore[arg-type]


def test_an_offset_below_zero_is_no_answer() -> None:
    """Taken for the end of a state's topic it would restore nothing; it is to be asked again."""
    with pytest.raises(KafkaException) as raised:
        listed(Admin(-1001), {PLACE: None}, IsolationLevel.READ_UNCOMMITTED)  # type: ignore[arg-type]
    assert is_passing(error_of(raised.value))


def test_a_client_that_forgot_a_partition_looks_at_its_topic_again() -> None:
    """The question fails once more, and can be answered when it is asked again."""
    client: Any = Client()
    with pytest.raises(KafkaException) as raised:
        watermarks(client, PLACE)
    assert is_passing(error_of(raised.value))
    assert watermarks(client, PLACE) == (3, 7)


@pytest.mark.parametrize("answer", [None, (-1001, -1001)])
def test_silence_and_no_offset_are_no_answer(answer: tuple[int, int] | None) -> None:
    """Both are to be asked again."""
    client: Any = Client(answer)
    client.knows = True
    with pytest.raises(KafkaException) as raised:
        watermarks(client, PLACE)
    assert is_passing(error_of(raised.value))

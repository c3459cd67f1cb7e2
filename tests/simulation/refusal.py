"""What a broker refuses, and how the client library shows it to a program."""

from typing import NoReturn

from confluent_kafka import KafkaError, KafkaException

E = KafkaError


class Refusal(Exception):
    """The broker's answer is an error code."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


def raise_error(
    code: int,
    text: str = "",
    *,
    fatal: bool = False,
    retriable: bool = False,
    requires_abort: bool = False,
) -> NoReturn:
    """Raise what the library raises."""
    raise KafkaException(
        KafkaError(code, text, fatal=fatal, retriable=retriable, txn_requires_abort=requires_abort)
    )

"""What a person set for the connection is kept on Faust, or refused by name."""

import ssl
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner
from faust.auth import SASLCredentials, SSLCredentials

from streams.faust_settings import FaustSettings, NotForFaust, credentials_of
from streams.kafka_clients import LibrdkafkaClients

SCRAM = {
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": "me",
    "sasl.password": "secret",
}


def settings(**client: str) -> FaustSettings:
    """Return settings with these properties; a _ stands for a dot."""
    named = {name.replace("_", "."): value for name, value in client.items()}
    return FaustSettings(
        client=named, group="g", topics=("t",), changelog="c", folder=Path("unused")
    )


def test_brokers_are_named_as_faust_wants_them() -> None:
    """Several addresses, with and without a scheme."""
    given = settings(bootstrap_servers="a:1, SASL_SSL://b:2,[::1]:3")
    assert given.brokers() == ["kafka://a:1", "kafka://b:2", "kafka://[::1]:3"]


def test_in_the_clear_nothing_is_proven() -> None:
    """As librdkafka does unless it is told otherwise."""
    assert credentials_of({"bootstrap.servers": "a:1"}) is None


def test_a_password_travels_as_it_was_told_to() -> None:
    """With SASL_SSL inside TLS, whose certificate and host name are checked."""
    found = credentials_of({"security.protocol": "SASL_SSL", **SCRAM})
    assert isinstance(found, SASLCredentials)
    assert (found.username, found.password) == ("me", "secret")
    assert (found.mechanism.value, found.protocol.value) == ("SCRAM-SHA-512", "SASL_SSL")
    assert found.ssl_context is not None
    assert found.ssl_context.check_hostname
    assert found.ssl_context.verify_mode is ssl.CERT_REQUIRED


def test_without_tls_there_is_no_context() -> None:
    """SASL_PLAINTEXT is what the settings allow only unasked of readable secrets."""
    found = credentials_of({"security.protocol": "sasl_plaintext", **SCRAM})
    assert isinstance(found, SASLCredentials)
    assert found.ssl_context is None
    assert found.protocol.value == "SASL_PLAINTEXT"


def test_a_certificate_alone_is_kept() -> None:
    """`ssl` without a name."""
    found = credentials_of({"security.protocol": "ssl"})
    assert isinstance(found, SSLCredentials)
    assert found.context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sasl.mechanism", "OAUTHBEARER"),
        ("sasl.mechanism", "GSSAPI"),
        ("ssl.keystore.location", "/there"),
        ("ssl.crl.location", "/there"),
        ("security.protocol", "carrier-pigeon"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(name: str, value: str) -> None:
    """Nothing that protects the connection is dropped without a word."""
    with pytest.raises(NotForFaust, match=name):
        credentials_of({"security.protocol": "SASL_SSL", **SCRAM, name: value})


def test_checks_can_be_switched_off_only_by_name() -> None:
    """The same two properties as for librdkafka."""
    loose = {"ssl.endpoint.identification.algorithm": "none"}
    found = credentials_of({"security.protocol": "ssl", **loose})
    assert isinstance(found, SSLCredentials)
    assert not found.context.check_hostname
    assert found.context.verify_mode is ssl.CERT_REQUIRED


def test_all_clients_agree_on_the_partition_of_a_key() -> None:
    """Ours is librdkafka's murmur2; Faust's library must not send a customer elsewhere."""
    clients, theirs = LibrdkafkaClients(), DefaultPartitioner()
    for key in (f"customer-{n}".encode() for n in range(200)):
        for partitions in (1, 4, 7):
            numbers = list(range(partitions))
            assert theirs(key, numbers, numbers) == clients.partition_of(key, partitions)

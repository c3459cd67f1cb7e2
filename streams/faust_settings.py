"""What Faust is told of the cluster: our settings of the log, in its words.

Law: what a person set to keep the connection safe is kept, or refused by name; it is never dropped
without a word.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from faust.auth import Credentials, SASLCredentials, SSLCredentials

_PASSWORDS: Final = frozenset({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})
_KNOWN: Final = frozenset(
    {
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "sasl.password",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.endpoint.identification.algorithm",
    }
)


class NotForFaust(ValueError):
    """A property of the log's client that the host on Faust cannot keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaustSettings:
    """Where a host is and what it reads.

    `client` are librdkafka properties; group and topics lie under `prefix`. `changelog` is the
    topic of its state, `epoch` that of the log, `folder` where Faust may write.
    """

    client: Mapping[str, str]
    group: str
    topics: tuple[str, ...]
    changelog: str
    prefix: str = ""
    epoch: int = 1
    partitions: int = 4
    folder: Path
    code_version: str = ""

    def brokers(self) -> list[str]:
        """Return the brokers' addresses."""
        servers = self.client["bootstrap.servers"].split(",")
        return [f"kafka://{server.strip().rpartition('://')[2]}" for server in servers]

    def seconds(self, name: str, usual: float) -> float:
        """Return a time that a person may have set in milliseconds."""
        return float(self.client[name]) / 1000 if name in self.client else usual


def credentials_of(client: Mapping[str, str]) -> Credentials | None:
    """Return how to prove who we are and to check who they are; None in the clear.

    Raises NotForFaust for what cannot be done here.
    """
    protocol = client.get("security.protocol", "plaintext").lower()
    if protocol not in ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"):
        raise NotForFaust(f"security.protocol: {protocol} is not one that Faust speaks")
    if protocol == "plaintext":
        return None
    unknown = sorted(
        name for name in client if name.startswith(("sasl.", "ssl.")) and name not in _KNOWN
    )
    if unknown:
        raise NotForFaust(f"{unknown[0]} cannot be kept by Faust")
    context = _context(client) if protocol.endswith("ssl") else None
    if context is not None and protocol == "ssl":
        return SSLCredentials(context)
    mechanism = client.get("sasl.mechanisms", client.get("sasl.mechanism", "GSSAPI")).upper()
    if mechanism not in _PASSWORDS:
        raise NotForFaust(f"sasl.mechanism: {mechanism} cannot be kept by Faust")
    return SASLCredentials(
        username=client.get("sasl.username"),
        password=client.get("sasl.password"),
        mechanism=mechanism,
        ssl_context=context,
    )


def _context(client: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cafile=client.get("ssl.ca.location"), cadata=client.get("ssl.ca.pem")
    )
    if client.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        context.check_hostname = False
    if client.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate := client.get("ssl.certificate.location"):
        context.load_cert_chain(
            certificate, client.get("ssl.key.location"), client.get("ssl.key.password")
        )
    return context

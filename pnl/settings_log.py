"""The settings of the log: a file of this machine, or a Kafka cluster.

Law: a property that exactly-once rests on is ours to set, and a password never travels in the
clear unasked. The values of librdkafka's properties may be secrets, so none is ever shown.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from streams.kafka_settings import OURS
from streams.topics import PARTITIONS_DEFAULT

PARTITIONS_MAX: Final = 1_000
TRANSACTION_MS_MAX: Final = 900_000
"""What a broker allows unless it is told otherwise (transaction.max.timeout.ms)."""
_READABLE_SECRETS: Final = frozenset({"PLAIN", "OAUTHBEARER"})
"""Mechanisms that send the secret itself."""


def number(value: object) -> object:
    """Refuse true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("is true or false where a number belongs")
    return value


def _property(name: str) -> str:
    """Accept a property that is a person's to choose."""
    if name in OURS:
        raise ValueError(f"is not yours to set: {OURS[name]}")
    return name


def _text(value: object) -> object:
    """Write a property's value as librdkafka reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _flat(value: object) -> object:
    """Join the names of nested tables: `sasl.password = "x"` need not be quoted in TOML."""
    if not isinstance(value, Mapping):
        return value
    flat: dict[str, object] = {}
    for name, inner in value.items():
        below = _flat(inner)
        if isinstance(below, Mapping):
            flat |= {f"{name}.{rest}": each for rest, each in below.items()}
        else:
            flat[str(name)] = below
    return flat


Property: TypeAlias = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_property)]
Value: TypeAlias = Annotated[SecretStr, BeforeValidator(_text)]
Prefix: TypeAlias = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$")]
Slot: TypeAlias = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$")]


class Log(BaseModel):
    """Where facts lie. `durability` is of sqlite; from `client` on, all is of kafka.

    `full` survives a power cut, `normal` may lose its last second then. An empty `slot` is the
    host's name; `partitions` and `replication` are those of topics that we create.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sqlite", "kafka"] = "sqlite"
    durability: Literal["full", "normal"] = "full"
    retention_days: Annotated[int, BeforeValidator(number), Field(ge=1, le=3650)] | None = None
    client: Annotated[dict[Property, Value], BeforeValidator(_flat)] = {}
    slot: Slot = ""
    prefix: Prefix = ""
    partitions: Annotated[int, BeforeValidator(number), Field(ge=1, le=PARTITIONS_MAX)] = (
        PARTITIONS_DEFAULT
    )
    replication: Annotated[int, BeforeValidator(number), Field(ge=1, le=15)] = 3
    transaction_timeout_ms: Annotated[
        int, BeforeValidator(number), Field(ge=5_000, le=TRANSACTION_MS_MAX)
    ] = 12_000
    plaintext_password: bool = False

    @model_validator(mode="after")
    def _usable(self) -> "Log":
        if self.kind == "kafka":
            if not self.revealed("bootstrap.servers"):
                raise ValueError(
                    'kind is "kafka", so [log.client] needs "bootstrap.servers" = "HOST:PORT"'
                )
            if self._readable() and not self.plaintext_password:
                raise ValueError(
                    "the password would travel in the clear: use security.protocol = SASL_SSL, or "
                    "another sasl.mechanism such as SCRAM-SHA-512, or allow it by "
                    "plaintext_password = true"
                )
        return self

    def _readable(self) -> bool:
        """Say whether whoever listens could read the password."""
        mechanism = self.revealed("sasl.mechanisms") or self.revealed("sasl.mechanism")
        protocol = self.revealed("security.protocol").lower()
        return protocol == "sasl_plaintext" and mechanism.upper() in _READABLE_SECRETS

    def revealed(self, name: str) -> str:
        """Return the value of a property, empty where it is not set. Never to be shown."""
        value = self.client.get(name)
        return "" if value is None else value.get_secret_value()

    def properties(self) -> dict[str, str]:
        """Return the properties as the client library takes them. Never to be shown."""
        return {name: value.get_secret_value() for name, value in self.client.items()}


class Workers(BaseModel):
    """Where a worker answers /healthz, /readyz and /metrics; the default port is its role's.

    Port 0: it does not. The page's worker answers where it serves the page, see [server].
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[str, Field(min_length=1, max_length=256)] = "127.0.0.1"
    port: Annotated[int, BeforeValidator(number), Field(ge=0, le=65535)] | None = None
    stop_seconds: Annotated[int, BeforeValidator(number), Field(ge=1, le=600)] = 10

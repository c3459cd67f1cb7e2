"""Settings: what a person may choose, section by section.

Law: a name that we do not know is refused, never ignored, and every value has bounds.
`pnl.settings_load` finds the files and says in one sentence why a choice cannot be used.
"""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pnl.reports.period import Calendar
from pnl.settings_log import Log, Workers, number
from pnl.settings_policy import (
    Amounts,
    Attribution,
    Change,
    Channel,
    Charge,
    Count,
    Customers,
    Margin,
    Name,
    Rates,
    Referral,
    Refunds,
    Reporting,
    Section,
    book_from,
    check_order,
    page_address,
)
from processors.policy import Policy, PolicyBook


class Store(Section):
    """Where results are queried: by default a chDB folder inside the data folder.

    With the log on Kafka it is a server's `http://USER:PASSWORD@HOST:8123`; a chDB folder serves
    one process, `pnl run`.
    """

    dsn: SecretStr | None = None


class Server(Section):
    """Where the page is served, under which names besides the loopback's, in which language.

    `public_url` is how people reach it: what links in messages begin with; "" where none is known.
    """

    host: Name = "127.0.0.1"
    port: Annotated[int, BeforeValidator(number), Field(ge=1, le=65535)] = 8080
    allowed_hosts: tuple[Name, ...] = ()
    locale: Name = "en_GB"
    public_url: Annotated[str, AfterValidator(page_address)] = ""


class Limits(Section):
    """Bounds of the running program; `hot_facts`: of customers whom journeys keep decoded."""

    batch_records_max: Annotated[int, BeforeValidator(number), Field(ge=1, le=100_000)] = 10_000
    hot_facts: Annotated[int, BeforeValidator(number), Field(ge=1_000, le=10**9)] = 500_000
    import_batch_records: Annotated[int, BeforeValidator(number), Field(ge=1, le=100_000)] = 5_000
    disk_free_mib_min: Count = 256


class Signals(Section):
    """Who hosts signals where the log is on Kafka: Faust, or our own runner, exactly once.

    The two keep their state apart: whoever changes from one to the other reads from the start.
    """

    host: Literal["faust", "runner"] = "faust"


class Settings(BaseSettings):
    """Every section, each with its defaults; `changes` to those that decide amounts."""

    model_config = SettingsConfigDict(
        env_prefix="PNL_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
        extra="forbid",
        frozen=True,
    )

    reporting: Reporting = Reporting()
    attribution: Attribution = Attribution()
    refunds: Refunds = Refunds()
    rates: Rates = Rates()
    margin: Margin = Margin()
    tariffs: dict[Name, Charge] = {}
    channels: dict[Name, Channel] = {}
    customers: Customers = Customers()
    referral: Referral = Referral()
    changes: tuple[Change, ...] = ()
    log: Log = Log()
    store: Store = Store()
    worker: Workers = Workers()
    server: Server = Server()
    signals: Signals = Signals()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _changes_can_be_made(self) -> "Settings":
        check_order(self.changes)
        self.policies  # noqa: B018 - raises what a change would make impossible
        return self

    @cached_property
    def policies(self) -> PolicyBook:
        """The rules a statement is made by, of all dates."""
        first = Amounts.model_construct(
            **{name: getattr(self, name) for name in Amounts.model_fields}
        )
        return book_from(first, self.changes)

    def calendar(self) -> Calendar:
        """Return when fiscal years begin."""
        return Calendar.of(self.reporting.fiscal_year_start, self.reporting.fiscal_weeks)

    def policy(self) -> Policy:
        """Return the newest rules: for whoever asks about no date."""
        return self.policies.newest

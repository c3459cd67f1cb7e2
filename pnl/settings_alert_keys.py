"""The tables and keys of `alerts.toml`.

Law: a name that we do not know is refused, never ignored, and every value has bounds. What a rule
leaves out is None, so it can be told from what it says.
"""

from datetime import time
from typing import Annotated, Final, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from pnl.settings_log import number
from pnl.settings_policy import Count, Name, Positive, Ppm, Section, zone
from processors.alert_rules import THRESHOLDS
from processors.conditions import MINUTE_MS, RuleKind
from processors.signal_records import Severity
from sinks.delivery.routes import RouteKind, WantedState

OURS: Final = "PNL_"
HOURS_MAX: Final = 24 * 366

Hours: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=0, le=HOURS_MAX)]
Days: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=0, le=3_660)]
Minutes: TypeAlias = Annotated[int, BeforeValidator(number), Field(ge=0, le=HOURS_MAX * 60)]
Seconds: TypeAlias = Annotated[float, BeforeValidator(number), Field(ge=0.1, le=60)]


def _variable(name: str) -> str:
    """Accept the name of a variable that is no setting of ours."""
    if name.upper().startswith(OURS):
        raise ValueError(f"must not begin with {OURS}: those are settings of pnl.toml")
    return name


Variable: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(_variable)
]


def _hours(text: str) -> str:
    """Accept quiet hours such as 22:00-07:00; an empty text is none."""
    if text:
        minutes_of(text)
    return text


def minutes_of(text: str) -> tuple[int, int]:
    """Return the minutes of the day at which quiet hours begin and end."""
    try:
        start, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        raise ValueError(f"{text!r} is no span of hours such as 22:00-07:00") from None
    if start == end:
        raise ValueError(f"{text!r} begins when it ends; leave it out for no quiet hours")
    return start.hour * 60 + start.minute, end.hour * 60 + end.minute


RouteName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
QuietHours: TypeAlias = Annotated[str, AfterValidator(_hours)]


class Delivery(Section):
    """Where requests may go at all: names, addresses and networks; nowhere else is asked."""

    hosts: tuple[Name, ...] = ()


class RouteSection(Section):
    """`[routes.NAME]`: one destination. The address and the secret may come from variables."""

    kind: RouteKind
    url: SecretStr | None = None
    url_env: Variable | None = None
    secret: SecretStr | None = None
    secret_env: Variable | None = None
    states: tuple[WantedState, ...] = ("raised", "cleared")
    ttl_hours: Annotated[int, BeforeValidator(number), Field(ge=1, le=24 * 30)] = 24
    timeout_seconds: Seconds = 5.0

    @model_validator(mode="after")
    def _one_source_each(self) -> Self:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("needs either url or url_env, the name of a variable that holds it")
        if self.secret is not None and self.secret_env is not None:
            raise ValueError("has both secret and secret_env; keep one of them")
        return self


class Everywhere(Section):
    """`[defaults]`: what holds for each rule that does not say otherwise."""

    routes: tuple[Name, ...] = ()
    quiet: QuietHours = ""
    timezone: Annotated[str, AfterValidator(zone)] | None = None


class RuleSection(Section):
    """`[[rules]]`: what is told, how loudly, how often; each key left out is as it was."""

    name: Name
    kind: RuleKind | None = None
    enabled: bool = True
    severity: Severity | None = None
    routes: tuple[Name, ...] | None = None
    queues: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None
    teams: tuple[str, ...] | None = None
    value_min_minor: Count | None = None
    cooldown_hours: Hours | None = None
    expire_days: Days | None = None
    hold_minutes: Minutes | None = None
    clear_after_minutes: Minutes | None = None
    quiet: QuietHours | None = None
    breaks_quiet: bool | None = None

    rise_ppm: Ppm | None = None
    rise_logit_milli: Count | None = None
    high_ppm: Ppm | None = None
    clear_ppm: Ppm | None = None
    explained_ppm: Ppm | None = None
    segment_low_ppm: Ppm | None = None
    drift_ppm: Ppm | None = None
    drift_threshold_ppm: Count | None = None
    revenue_drop_ppm: Ppm | None = None
    wait_factor_milli: Positive | None = None
    resolution_drop_ppm: Ppm | None = None
    unattributed_move_ppm: Ppm | None = None
    missed_rise_ppm: Ppm | None = None
    late_minutes: Annotated[int, BeforeValidator(number), Field(ge=1, le=HOURS_MAX)] | None = None
    silence_expected: Positive | None = None

    def thresholds(self) -> dict[str, int]:
        """Return the thresholds it sets, as fields of `Thresholds`."""
        named = {name: getattr(self, name, None) for name in _ALL_THRESHOLDS}
        named["late_ms"] = None if self.late_minutes is None else self.late_minutes * MINUTE_MS
        return {name: value for name, value in named.items() if value is not None}


_ALL_THRESHOLDS: Final = tuple(name for names in THRESHOLDS.values() for name in names)
WRITTEN: Final = {"late_ms": "late_minutes"}
"""How a threshold is called in the file, where it is not called the same."""
LASTING: Final = ("hold_minutes", "clear_after_minutes")
"""Keys that ask how long a condition held, or did not; see `processors.alert_rules.ON_CHANGE`."""


class Common(Section):
    """`[thresholds]`: what holds for all kinds."""

    sample_min: Annotated[int, BeforeValidator(number), Field(ge=2, le=1_000_000)] | None = None
    false_discovery_ppm: Ppm | None = None
    quiet_windows: Annotated[int, BeforeValidator(number), Field(ge=1, le=1_000)] | None = None


class AlertFile(Section):
    """All of `alerts.toml`."""

    delivery: Delivery = Delivery()
    defaults: Everywhere = Everywhere()
    thresholds: Common = Common()
    routes: dict[RouteName, RouteSection] = Field(default_factory=dict)
    rules: tuple[RuleSection, ...] = ()

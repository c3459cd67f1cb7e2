"""The file that `pnl fit churn` writes: what a risk is made of, checked field by field.

Law: one shape for writing and reading. Keys are only ever added, each with a default; `format` and
`version` say how to read the rest. A file that cannot be used is refused with its name and the
field that is wrong, never taken in part.
"""

from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from pnl.errors import UserError
from processors.churn_signals import Signal

FORMAT: Final = "contact-pnl customer model"
VERSION: Final = 1

Positive: TypeAlias = Annotated[float, Meta(gt=0)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Unit: TypeAlias = Literal["day", "week", "month"]


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    pass


class _Fitted(_Part, frozen=True, kw_only=True):
    """How well parameters are determined: of their logarithms, in the order they stand here."""

    log_likelihood: float
    ln_standard_errors: tuple[float, ...]
    ln_covariance: tuple[tuple[float, ...], ...] = ()


class BgNbdPart(_Fitted, frozen=True, kw_only=True, tag_field="model", tag="bgnbd"):
    """Parameters of DEF-BGNBD, for times in `unit`."""

    unit: Unit
    r: Positive
    alpha: Positive
    a: Positive
    b: Positive


class ParetoNbdPart(_Fitted, frozen=True, kw_only=True, tag_field="model", tag="pnbd"):
    """Parameters of DEF-PNBD, for times in `unit`."""

    unit: Unit
    r: Positive
    alpha: Positive
    s: Positive
    beta: Positive


class SpendPart(_Fitted, frozen=True, kw_only=True, tag_field="model", tag="gamma-gamma"):
    """Parameters of DEF-GG; `v_minor` in minor units of the file's currency."""

    p: Positive
    q: Positive
    v_minor: Positive


class CalibrationPart(_Part, frozen=True, kw_only=True):
    """What turns P0 into a risk (DEF-CAL), and the labels that told it."""

    intercept: float
    on_logit: float
    on_repeats: float
    on_days_since: float
    learnt_as_of: str
    learnt_over_days: Count
    labels: Count


class CurvePart(_Part, frozen=True, kw_only=True):
    """Kaplan-Meier of one repeat-count bucket: the share who have not bought from a day on."""

    bucket: str
    days: tuple[float, ...]
    share: tuple[Share, ...]
    watched_days_max: float
    known_days_max: float

    def __post_init__(self) -> None:
        if len(self.days) != len(self.share):
            raise ValueError("`days` and `share` are not of one length")


class WeightPart(_Part, frozen=True, kw_only=True):
    """What a signal of contacts adds to the logit of the risk when it is new."""

    signal: Signal
    logit: float
    learnt: bool
    customers: Count = 0


class SignalsPart(_Part, frozen=True, kw_only=True):
    """The weights of all signals, and the matured labels they were learnt on (DEF-RISK-LIVE)."""

    weights: tuple[WeightPart, ...]
    learnt_as_of: str
    learnt_over_days: Count
    customers: Count


class TenthPart(_Part, frozen=True, kw_only=True):
    """A tenth of the customers by risk: predicted, and what they did."""

    customers: Count
    predicted: Share
    actual: Share


class JudgedPart(_Part, frozen=True, kw_only=True):
    """What a fit of the same kind was worth one horizon earlier, by what has happened since."""

    as_of: str
    until: str
    customers: Count
    auc: Share
    baseline_auc: Share
    brier: Share | None
    log_loss: float | None
    tenth_gap_max: Share | None
    tenths: tuple[TenthPart, ...]


class ModelFile(_Part, frozen=True, kw_only=True):
    """All that scoring needs, and where it comes from. Shares and probabilities are in [0, 1]."""

    format: str
    version: int
    as_of: str
    horizon_days: Annotated[int, Meta(ge=1, le=3650)]
    currency: str
    label: str
    reason: str | None
    customers: Count
    purchases: Count
    repeat: BgNbdPart | ParetoNbdPart | None
    spend: SpendPart | None
    calibration: CalibrationPart | None
    observed: tuple[CurvePart, ...]
    signals: SignalsPart | None = None
    judged: JudgedPart | None = None

    def __post_init__(self) -> None:
        date.fromisoformat(self.as_of)

    @property
    def method(self) -> Literal["bgnbd", "pnbd", "observed"]:
        """What risk is made of."""
        if self.repeat is None:
            return "observed"
        return "pnbd" if isinstance(self.repeat, ParetoNbdPart) else "bgnbd"

    @property
    def name(self) -> str:
        """What tells this model from any other: method, day, first digits of a hash."""
        content = msgspec.structs.replace(self, judged=None)
        digest = sha256(msgspec.json.encode(content)).hexdigest()
        return f"{self.method} {self.as_of} {digest[:8]}"


class _Head(msgspec.Struct):
    format: str = ""
    version: int = 0


def text_of(model: ModelFile) -> str:
    """Return a model as the text of its file."""
    return msgspec.json.format(msgspec.json.encode(model), indent=1).decode()


def parsed(text: bytes, name: str) -> ModelFile:
    """Return the model of a file's text. UserError says which field of `name` is wrong."""
    again = "write it anew with `pnl fit churn`."
    try:
        head = msgspec.json.decode(text, type=_Head)
        if head.format != FORMAT:
            raise UserError(f"{name}: format is {head.format!r}, which is no {FORMAT}; {again}")
        if head.version != VERSION:
            raise UserError(
                f"{name}: version is {head.version}, this program knows {VERSION}; {again}"
            )
        return msgspec.json.decode(text, type=ModelFile)
    except msgspec.ValidationError as error:
        what, _, field = str(error).partition(" - at `$.")
        where = field.rstrip("`") or "it"
        raise UserError(f"{name}: {where}: {what}; {again}") from None
    except msgspec.DecodeError as error:
        raise UserError(f"{name} is not JSON: {error}; {again}") from None


def read_model(path: Path) -> ModelFile | None:
    """Return the model of a file; None where there is none. UserError if it cannot be used."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    return parsed(text, str(path))

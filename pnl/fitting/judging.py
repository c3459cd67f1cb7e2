"""Whether a fit may be kept: what one of its kind was worth a horizon ago (DEF-CAL).

Law: a fit is judged by what has happened, never by how well it describes what it was made from.
One that ranks worse than no model at all (repeats, then days since the last purchase) is not kept.
"""

from typing import Final

from pnl.errors import CheckFailed
from pnl.fitting.churn import LABELS_MIN, Kind
from pnl.fitting.evaluation import BASELINE, SHIPPED, evaluate
from pnl.fitting.likelihood import CannotFit
from pnl.fitting.model_file import JudgedPart, TenthPart
from pnl.reports.period import date_of
from processors.purchases import Purchases

WORSE_MAX: Final = 0.01
"""How far below the baseline's AUC a fit may rank: what is accepted on the published sample."""


def judged(bought: Purchases, day: int, horizon_days: int, kind: Kind) -> JudgedPart | None:
    """Return what a fit one horizon before a day was worth; None if the books cannot tell yet."""
    last = min(day, int(bought.day.max()))
    try:
        found = evaluate(bought, last - horizon_days, horizon_days, kind)
    except CannotFit:
        return None
    score, plain = found.score(SHIPPED), found.score(BASELINE)
    few = min(found.gone, found.customers - found.gone)
    if found.fit.repeat is None or score.auc is None or plain.auc is None or few < LABELS_MIN // 2:
        return None
    return JudgedPart(
        as_of=date_of(found.day).isoformat(),
        until=date_of(found.day + horizon_days).isoformat(),
        customers=found.customers,
        auc=score.auc,
        baseline_auc=plain.auc,
        brier=score.brier,
        log_loss=score.log_loss,
        tenth_gap_max=found.decile_gap,
        tenths=tuple(
            TenthPart(customers=each.customers, predicted=each.predicted, actual=each.actual)
            for each in found.deciles
        ),
    )


def assert_worth_keeping(found: JudgedPart | None) -> None:
    """Refuse a fit that ranks worse than the baseline. CheckFailed says by how much.

    What could not be judged yet passes: then nothing says that it is worse.
    """
    if found is not None and found.auc < found.baseline_auc - WORSE_MAX:
        raise CheckFailed(
            f"The model ranks worse than no model: as of {found.as_of}, judged until"
            f" {found.until}, its AUC is {found.auc:.3f}, that of repeats and days since the last"
            f" purchase {found.baseline_auc:.3f}. The file is as it was; --force keeps the fit"
            " all the same, --observed keeps what was observed instead."
        )

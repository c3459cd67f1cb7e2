"""One seeded run of the estimators over a world, and what many of them say together.

An interval is right if it holds the truth in 93 to 97 % of runs. The truth of an effect is the
mean, over all runs, of what was bought less what would have been bought without any contact.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bench.calibration.world import RESOLVED, UNRESOLVED, Settings, World, world
from processors.comparison import Comparison, Question, compared
from processors.history import NEVER, Bools
from processors.lift import Effect
from processors.matching import Rules

FAIR = Settings()
NULL = replace(FAIR, more_orders=0.0, leave=0.0)
CONFOUNDED = replace(NULL, confounded=True, customers=2000)


@dataclass(frozen=True)
class Trial:
    """What one run says of one question, and what was true in it (None: not known)."""

    name: str
    estimate: float
    variance: float
    low: float
    high: float
    matched_share: float
    n: int
    truth: float | None


@dataclass(frozen=True)
class Judged:
    """What many runs say of one question, against a truth."""

    name: str
    runs: int
    truth: float
    mean: float
    spread: float
    error: float
    covered: float
    claimed: float
    matched_share: float
    n: float


def run(seed: int, settings: Settings) -> list[Trial]:
    """Ask a world all questions; its placebo's truth is 0."""
    made = world(seed, settings)
    asked = compared(made.history, Rules(seed=seed))
    outcome = asked.outcome()
    everybody = np.ones(len(outcome), dtype=np.bool_)
    trials = [
        _trial("outcome effect, resolved - none", made, asked, outcome == RESOLVED, "purchase"),
        _trial("outcome effect, unresolved - none", made, asked, outcome == UNRESOLVED, "purchase"),
        _trial("retention, resolved - none", made, asked, outcome == RESOLVED, "retention"),
        _trial("retention, unresolved - none", made, asked, outcome == UNRESOLVED, "retention"),
    ]
    between = asked.between(outcome == RESOLVED, outcome == UNRESOLVED)
    placebo = asked.placebo(everybody)
    assert between is not None
    assert placebo is not None
    truth = [trial.truth or 0.0 for trial in trials]
    return [
        *trials,
        _told("outcome effect, resolved - unresolved", between, truth[0] - truth[1]),
        _told("placebo", placebo, 0.0),
    ]


def _trial(name: str, made: World, asked: Comparison, which: Bools, question: Question) -> Trial:
    found = asked.against_none(which, question)
    assert found is not None
    rows = which & asked.mature(question) & asked.matched()
    customer, at_ms = asked.found.customer[rows], asked.found.at_ms[rows]
    rules = asked.rules
    window = (0, rules.lookback_ms)
    if question == "retention":
        window = (rules.lookback_ms, rules.lookback_ms + rules.horizon_ms)
    own = question == "purchase"
    bought = made.history.first_purchase(customer, at_ms + window[0], at_ms + window[1], own=own)
    without = made.without(customer, at_ms, window)
    return _told(name, found, float(((bought != NEVER) - without).mean()))


def _told(name: str, found: Effect, truth: float) -> Trial:
    return Trial(
        name=name,
        estimate=found.difference,
        variance=found.variance,
        low=found.interval.low,
        high=found.interval.high,
        matched_share=found.matched_share,
        n=found.n,
        truth=truth,
    )


def randomised(seed: int, effect: float = 0.05) -> list[Trial]:
    """Draw who is contacted by lots, in a population whose rates differ; the truth is `effect`."""
    from processors.lift import Arm
    from processors.lift import effect as estimate

    rng = np.random.default_rng(seed)
    n = 2000
    chance = rng.uniform(0.05, 0.5, n)
    treated = rng.random(n) < 0.5
    bought = (rng.random(n) < chance + effect * treated).astype(np.float64)
    customer, one = np.arange(n), np.ones(n)
    stratum = np.zeros(n, dtype=np.int64)

    def arm(rows: Bools) -> Arm:
        return Arm(bought[rows], stratum[rows], customer[rows], one[rows])

    found = estimate(arm(treated), arm(~treated))
    assert found is not None
    assert abs(found.difference - (bought[treated].mean() - bought[~treated].mean())) < 1e-12
    return [_told("randomised, treated - control", found, effect)]


def many(trial: Callable[[int], list[Trial]], seeds: Sequence[int], processes: int) -> list[Judged]:
    """Run all seeds and judge each question."""
    if processes == 1:
        runs = [trial(seed) for seed in seeds]
    else:
        with ProcessPoolExecutor(processes) as pool:
            runs = list(pool.map(trial, seeds, chunksize=4))
    return [judged([each[place] for each in runs]) for place in range(len(runs[0]))]


def of(settings: Settings) -> Callable[[int], list[Trial]]:
    """Return the run over a kind of world."""
    return partial(run, settings=settings)


def judged(trials: Sequence[Trial]) -> Judged:
    """Judge one question over many runs."""
    estimate = np.array([trial.estimate for trial in trials])
    low = np.array([trial.low for trial in trials])
    high = np.array([trial.high for trial in trials])
    truth = float(np.mean([trial.truth for trial in trials if trial.truth is not None]))
    return Judged(
        name=trials[0].name,
        runs=len(trials),
        truth=truth,
        mean=float(estimate.mean()),
        spread=float(estimate.std()),
        error=float(np.sqrt(np.mean([trial.variance for trial in trials]))),
        covered=float(((low <= truth) & (truth <= high)).mean()),
        claimed=float(((low > 0) | (high < 0)).mean()),
        matched_share=float(np.mean([trial.matched_share for trial in trials])),
        n=float(np.mean([trial.n for trial in trials])),
    )

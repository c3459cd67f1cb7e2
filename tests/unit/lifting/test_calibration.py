"""A small calibration: few worlds, wide bands; `make calibration` has the narrow ones."""

from dataclasses import replace

import pytest

from bench.calibration.__main__ import PLACEBO, wrong
from bench.calibration.trials import CONFOUNDED, FAIR, NULL, Judged, many, of, randomised

RUNS = 40
SLACK = 0.10
"""Of 40 runs at 95 % fewer than 33 cover in about one of 10,000."""


def judged(settings_name: str) -> dict[str, Judged]:
    """Return what few runs say, by question."""
    settings = {"fair": FAIR, "null": NULL, "confounded": CONFOUNDED}[settings_name]
    runs = RUNS if settings_name != "confounded" else 10
    found = many(of(replace(settings, customers=600)), range(runs), 1)
    return {each.name: each for each in found}


@pytest.mark.parametrize("world", ["fair", "null"])
def test_intervals_cover_the_truth_as_often_as_they_say(world: str) -> None:
    """DEF-EFFECT, DEF-RC: injected effects are found, and none where there is none."""
    questions = judged(world)
    kind = {"fair": "effects", "null": "no effect"}[world]
    assert list(wrong(kind, list(questions.values()), SLACK)) == []


def test_a_confounded_stream_fails_the_placebo() -> None:
    """DEF-LABEL: who buys seldom and calls often for a reason nobody sees is noticed."""
    questions = judged("confounded")
    assert questions["outcome effect, resolved - none"].mean < -0.01, "an effect that is none"
    assert questions[PLACEBO].mean < -0.02
    assert questions[PLACEBO].claimed >= 0.5


def test_lots_return_the_plain_difference() -> None:
    """Randomised data: the difference of the two rates, and its interval covers."""
    (plain,) = many(randomised, range(200), 1)
    assert plain.covered > 0.9
    assert plain.mean == pytest.approx(plain.truth, abs=4 * plain.spread / 200**0.5)

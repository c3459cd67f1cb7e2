"""Many paths at once: the same credits as one by one, and the shares that vectors state."""

import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.attribution import HALF_LIFE_MS, shares
from processors.path_models import (
    SHARE_ONE,
    Ints,
    Paths,
    PathShares,
    Walks,
    credits_of,
    markov,
    shapley,
    share_weights,
    split_all,
    touch_weights,
    touches,
)
from processors.policy import MODELS, Model
from processors.results import PathContact

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference_vectors.json").read_text(encoding="utf-8")
)
ORDERED_AT = 100 * 86_400_000
LOOKBACK = 30 * 86_400_000

contacts = st.tuples(
    st.one_of(st.integers(0, 40 * 86_400_000), st.sampled_from([0, LOOKBACK, LOOKBACK + 1])),
    st.one_of(st.just(0), st.integers(0, 600_000)),
    st.integers(0, 2),
)
amounts = st.one_of(st.integers(-(10**6), 10**6), st.integers(-(2**62), 2**62))
units = st.lists(st.tuples(st.lists(contacts, max_size=7), amounts, amounts), max_size=6)


def ints(values: list[int]) -> Ints:
    """Return a column."""
    return np.array(values, dtype=np.int64)


def columns(orders: list[tuple[list[tuple[int, int, int]], int, int]]) -> Paths:
    """Return orders, each a path of (age, handle time, case), gross and net, as columns."""
    flat = [
        (number, *contact)
        for number, (path, _, _) in enumerate(orders)
        for contact in sorted(path, key=lambda contact: -contact[0])
    ]
    return Paths(
        unit=ints([row[0] for row in flat]),
        age_ms=ints([row[1] for row in flat]),
        handle_ms=ints([row[2] for row in flat]),
        case=ints([row[3] for row in flat]),
        channel=ints([0 for _ in flat]),
        gross_minor=ints([gross for _, gross, _ in orders]),
        net_minor=ints([net for _, _, net in orders]),
    )


@pytest.mark.parametrize("model", MODELS)
@given(orders=units)
def test_columns_give_the_credits_of_one_order_at_a_time(
    model: Model, orders: list[tuple[list[tuple[int, int, int]], int, int]]
) -> None:
    """DEF-SPLIT, DEF-CASESPLIT, RUL-SIGN: minor unit by minor unit, whatever the size."""
    paths = columns(orders).within(LOOKBACK)
    found = touches(paths)
    split = credits_of(paths, found, touch_weights(model, found)).tolist()
    expected: list[int] = []
    for path, gross, net in orders:
        chains = [
            PathContact(
                contact_id=f"c{place:03}",
                ended_at=ORDERED_AT - age,
                handle_ms=handle,
                case_id=f"case{case}" if case else None,
            )
            for place, (age, handle, case) in enumerate(sorted(path, key=lambda one: -one[0]))
        ]
        shared = shares(model, chains, ORDERED_AT, LOOKBACK)
        vector, _ = shared.vector(gross, net)
        expected += [part for _, _, part in shared.by_contact(vector)]
    assert split == expected


@given(st.lists(st.integers(0, 240 * 86_400_000), min_size=1, max_size=50))
@example([HALF_LIFE_MS * 8, HALF_LIFE_MS * 32])
def test_columns_decay_as_one_touchpoint_does(ages: list[int]) -> None:
    """DEF-MODEL: floats where they are sure, decimals where they are not."""
    paths = columns([([(age, 0, 0)], 1, 1) for age in ages])
    found = touches(paths)
    one_by_one = [
        weight
        for age in ages
        for weight in shares(
            "time_decay",
            [PathContact(contact_id="c", ended_at=ORDERED_AT - age, handle_ms=0)],
            ORDERED_AT,
            300 * 86_400_000,
        ).weights
    ]
    assert touch_weights("time_decay", found).tolist() == one_by_one


@pytest.mark.parametrize("vector", VECTORS["VEC-SPLIT"], ids=str)
@pytest.mark.parametrize("model", ["first", "last", "linear", "position"])
def test_columns_split_as_the_vectors_say(vector: dict[str, Any], model: Model) -> None:
    """VEC-SPLIT, in columns."""
    path = [(90 - place, 0, 0) for place in range(vector["touches"])]
    paths = columns([(path, vector["amount"], vector["amount"])])
    found = touches(paths)
    assert credits_of(paths, found, touch_weights(model, found)).tolist() == vector[model]


def test_nothing_to_split_by_leaves_all_unattributed() -> None:
    """DEF-SPLIT: weights that sum to zero give nobody anything."""
    assert split_all(ints([100, 7]), ints([0, 0, 1]), ints([0, 0, 3])).tolist() == [0, 0, 7]


def walks(paths: list[tuple[list[str], int, int]], names: list[str]) -> Walks:
    """Return paths of channels with their conversions and nulls as columns."""
    return Walks(
        walk=ints([number for number, (path, _, _) in enumerate(paths) for _ in path]),
        channel=ints([names.index(step) for path, _, _ in paths for step in path]),
        converted=ints([converted for _, converted, _ in paths]),
        null=ints([null for _, _, null in paths]),
        channels=len(names),
    )


@pytest.mark.parametrize("vector", VECTORS["VEC-MARKOV"], ids=["three", "two"])
def test_markov_is_exact(vector: dict[str, Any]) -> None:
    """VEC-MARKOV: removal effects, shares, and P, which is conversions / paths."""
    names = list(vector["removal"])
    found = markov(
        walks([(each["path"], each["conv"], each["null"]) for each in vector["paths"]], names)
    )
    assert found.p_conversion == pytest.approx(float(Fraction(vector["p_conv"])), abs=1e-12)
    for place, name in enumerate(names):
        assert found.removal[place] == pytest.approx(vector["removal"][name], abs=1e-12)
        assert found.share[place] == pytest.approx(vector["share"][name], abs=1e-12)


journeys = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcd"), min_size=1, max_size=6),
        st.integers(0, 3),
        st.integers(0, 3),
    ).filter(lambda path: path[1] + path[2] > 0),
    min_size=1,
    max_size=8,
)


@given(journeys)
def test_removing_a_channel_is_what_the_removal_effect_says(
    paths: list[tuple[list[str], int, int]],
) -> None:
    """Sending its incoming transitions to null by hand loses as much, and P comes free."""
    names = sorted({step for path, _, _ in paths for step in path})
    found = markov(walks(paths, names))
    converted = sum(path[1] for path in paths)
    assert found.p_conversion == pytest.approx(
        converted / sum(path[1] + path[2] for path in paths), abs=1e-9
    )
    if not converted:
        return
    for place, name in enumerate(names):
        without = chance_without(paths, name)
        assert 1 - without / found.p_conversion == pytest.approx(found.removal[place], abs=1e-9)


def chance_without(paths: list[tuple[list[str], int, int]], gone: str) -> float:
    """Return the chance of a conversion, worked out by walking the chain until little is left."""
    counts: dict[str, dict[str, int]] = {}
    for path, converted, null in paths:
        steps = ["start"]
        for step in path:
            if step != steps[-1]:
                steps.append(step)
        for here, there in itertools.pairwise(steps):
            counts.setdefault(here, {}).setdefault(there, 0)
            counts[here][there] += converted + null
        for there, times in (("conv", converted), ("null", null)):
            counts.setdefault(steps[-1], {}).setdefault(there, 0)
            counts[steps[-1]][there] += times
    at = {"start": 1.0}
    reached = 0.0
    for _ in range(4000):
        after: dict[str, float] = {}
        for here, chance in at.items():
            total = sum(counts[here].values())
            for there, times in counts[here].items():
                if there == "conv":
                    reached += chance * times / total
                elif there not in ("null", gone):
                    after[there] = after.get(there, 0.0) + chance * times / total
        at = after
        if sum(at.values()) < 1e-13:
            break
    return reached


def dividends(worth: dict[str, int]) -> list[tuple[list[str], int, int]]:
    """Return a game as what each set adds beyond its parts, smallest sets first (Harsanyi)."""
    found: dict[str, int] = {}
    for name in sorted(worth, key=len):
        parts = [each for each in found if set(each) < set(name)]
        found[name] = worth[name] - sum(found[each] for each in parts)
    return [(list(name), value, 0) for name, value in found.items()]


def test_shapley_of_a_game_is_the_mean_marginal_contribution() -> None:
    """VEC-SHAPLEY: the game of three."""
    vector = VECTORS["VEC-SHAPLEY"][0]
    names = list(vector["shapley"])
    found = shapley(walks(dividends(vector["v"]), names))
    for place, name in enumerate(names):
        value = found.share[place] * vector["v"]["OFD"]
        assert value == pytest.approx(float(Fraction(vector["shapley"][name])), abs=1e-12)


@pytest.mark.parametrize("vector", VECTORS["VEC-SHAPLEY"][1:], ids=str)
def test_shapley_of_paths_shares_each_among_its_channels(vector: dict[str, Any]) -> None:
    """VEC-SHAPLEY: conversions of paths, whichever order and however often a channel is met."""
    names = list(vector["shapley"])
    paths = [(path.split(">"), n, 5) for path, n in vector["conversions"].items()]
    paths = [(path + path[:1], n, null) for path, n, null in paths]
    found = shapley(walks(paths, names))
    total = sum(vector["conversions"].values())
    assert [share * total for share in found.share] == pytest.approx(
        [vector["shapley"][name] for name in names]
    )


def test_a_share_becomes_an_integer_weight() -> None:
    """A channel that was part of a path keeps a weight, however small its share."""
    shares = PathShares(np.array([0.25, 0.75, 0.0]), np.zeros(3), 1.0)
    assert share_weights(shares).tolist() == [SHARE_ONE // 4, 3 * SHARE_ONE // 4, 1]

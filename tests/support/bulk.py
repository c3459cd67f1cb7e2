"""What is drawn from seeds: a few in `make test`, all of the others in `make test-simulation`."""

from collections.abc import Sequence
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


def few_first(values: Sequence[T], few: int) -> list[Any]:
    """Return parameters of a test, of which all but the first few are left to the longer suite."""
    return [
        *values[:few],
        *(pytest.param(each, marks=pytest.mark.simulation) for each in values[few:]),
    ]

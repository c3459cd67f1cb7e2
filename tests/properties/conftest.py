"""Fixed examples by default, so that one commit has one result everywhere.

`HYPOTHESIS_PROFILE=many`, which `make test-simulation` sets, takes nearly four times as many, and
`explore` looks for new ones, ten times as many as that. How many seeds a test walks through goes
with how many examples Hypothesis draws.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

BASE = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "fixed")
settings.register_profile("fixed", BASE, derandomize=True, max_examples=40)
settings.register_profile("many", BASE, derandomize=True, max_examples=150)
settings.register_profile("explore", BASE, max_examples=1500)
settings.load_profile(PROFILE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take what is here into the longer suite where that draws more of it."""
    for item in items:
        if PROFILE == "many" and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.simulation)

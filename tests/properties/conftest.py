"""Fixed examples by default, so that one commit has one result everywhere.

`HYPOTHESIS_PROFILE=explore` looks for new ones, and ten times as many.
"""

import os

from hypothesis import HealthCheck, settings

BASE = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("fixed", BASE, derandomize=True)
settings.register_profile("explore", BASE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

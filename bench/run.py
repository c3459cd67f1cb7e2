"""All benchmarks, each measurement in a process of its own: `make bench`.

Every figure stands behind a correctness gate; a wrong result ends the run with exit code 1.
"""

import json
import os
import platform
import subprocess
import sys

MEASURES = (
    ("journeys", "100000"),
    ("journeys", "1000000"),
    ("pipeline", "100000"),
    ("pipeline", "1000000"),
    ("freshness", "1000", "30"),
)


def main() -> None:
    """Print one line per measurement as it ends, then where it ran."""
    names = sys.argv[1:]
    for measure in MEASURES:
        if names and measure[0] not in names:
            continue
        ran = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "bench.measure", *measure], stdout=subprocess.PIPE, check=False
        )
        if ran.returncode != 0:
            sys.exit(f"bench: {' '.join(measure)} failed")
        result = json.loads(ran.stdout)
        print(
            f"{result.pop('measure'):10}",
            "  ".join(f"{name} {value:,}" for name, value in result.items()),
            flush=True,
        )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    where = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{where}, load average {load}")


if __name__ == "__main__":
    main()

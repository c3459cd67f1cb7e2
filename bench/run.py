"""All benchmarks, each measurement in a process of its own: `make bench`, `make bench-kafka`.

Every figure stands behind a correctness gate; a wrong result ends the run with exit code 1.
"""

import json
import os
import platform
import subprocess
import sys

EMBEDDED = (
    ("bench.measure", "journeys", "100000"),
    ("bench.measure", "journeys", "1000000"),
    ("bench.measure", "pipeline", "100000"),
    ("bench.measure", "pipeline", "1000000"),
    ("bench.measure", "freshness", "1000", "30"),
    ("bench.alert_latency", "one", "1000", "30"),
)
KAFKA = (
    ("bench.on_kafka", "journeys", "500000"),
    ("bench.sink", "100000"),
    ("bench.on_kafka", "freshness", "5000", "30"),
    ("bench.alert_latency", "kafka", "5000", "30"),
)


def main() -> None:
    """Print one line per measurement as it ends, then where it ran."""
    measures = KAFKA if sys.argv[1:] == ["kafka"] else EMBEDDED
    for measure in measures:
        ran = subprocess.run(  # noqa: S603
            [sys.executable, "-m", *measure], stdout=subprocess.PIPE, check=False
        )
        if ran.returncode != 0:
            sys.exit(f"bench: {' '.join(measure)} failed")
        for line in ran.stdout.splitlines():
            result = json.loads(line)
            print(
                f"{result.pop('measure'):18}",
                "  ".join(f"{name} {value:,}" for name, value in result.items()),
                flush=True,
            )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    where = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{where}, load average {load}")


if __name__ == "__main__":
    main()

"""Killed at random moments and started again, a load comes to what it comes to undisturbed."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EVENTS = int(os.environ.get("PNL_SOAK_EVENTS", "200000"))
KILLS = int(os.environ.get("PNL_SOAK_KILLS", "50"))
SEED = int(os.environ.get("PNL_SOAK_SEED", "11"))
LIMIT_SECONDS = 2400
"""No run may take longer, undisturbed or last."""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(2 * LIMIT_SECONDS)]


def start(year: Path, folder: Path) -> subprocess.Popen[str]:
    """Start the load and wait until it is under way."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.soak.load", str(year), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(year: Path, folder: Path) -> None:
    """Run the load to its end."""
    process = start(year, folder)
    out, _ = process.communicate(timeout=LIMIT_SECONDS)
    assert (out, process.returncode) == ("done\n", 0)


def ask(*arguments: str) -> str:
    """Run another command of the load; return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.soak.load", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_SECONDS,
        check=True,
    )
    return ran.stdout


def digest(folder: Path) -> dict[str, object]:
    """Return what a folder holds."""
    found: dict[str, object] = json.loads(ask("--digest", str(folder)))
    return found


def kill_at_random(year: Path, folder: Path, seconds_of_all: float) -> int:
    """Kill the load again and again; return how many kills came while it was at work."""
    dice = random.Random(SEED)
    at_work = 0
    for _ in range(KILLS):
        process = start(year, folder)
        try:
            process.wait(timeout=dice.uniform(0, 2 * seconds_of_all / KILLS))
        except subprocess.TimeoutExpired:
            at_work += 1
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return at_work


def uptime_seconds() -> float:
    """Return a time that no clock change moves."""
    return float(Path("/proc/uptime").read_text().split()[0])


def test_a_load_killed_again_and_again_comes_to_the_same(tmp_path: Path) -> None:
    """Every sum, credit, cost and disposition equals that of the load nobody disturbed."""
    year, calm, killed = (tmp_path / name for name in ("year", "calm", "killed"))
    ask("--write", str(year), str(EVENTS), str(SEED))
    began = uptime_seconds()
    finish(year, calm)
    seconds = uptime_seconds() - began
    undisturbed = digest(calm)
    assert undisturbed["findings"] == []

    at_work = kill_at_random(year, killed, seconds)
    finish(year, killed)
    print(
        f"soak: seed {SEED}, {EVENTS} events, {seconds:.0f} s undisturbed,"
        f" {KILLS} kills, {at_work} of them at work"
    )
    assert at_work >= KILLS // 2
    assert digest(killed) == undisturbed

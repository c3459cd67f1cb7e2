"""Killed at random moments and started again, a load comes to what it comes to undisturbed."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EVENTS = int(os.environ.get("PNL_SOAK_EVENTS", "1000000"))
KILLS = int(os.environ.get("PNL_SOAK_KILLS", "50"))
SEED = int(os.environ.get("PNL_SOAK_SEED", "11"))
LIMIT_SECONDS = 2400
"""No run may take longer, undisturbed or last."""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(2 * LIMIT_SECONDS)]


def start(folder: Path) -> subprocess.Popen[str]:
    """Start the load and wait until it is under way."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.soak.load", str(folder), str(EVENTS), str(SEED)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(folder: Path) -> None:
    """Run the load to its end."""
    process = start(folder)
    out, _ = process.communicate(timeout=LIMIT_SECONDS)
    assert (out, process.returncode) == ("done\n", 0)


def digest(folder: Path) -> dict[str, object]:
    """Return what a folder holds."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.soak.load", "--digest", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_SECONDS,
        check=True,
    )
    found: dict[str, object] = json.loads(ran.stdout)
    return found


def kill_at_random(folder: Path, seconds_of_all: float) -> int:
    """Kill the load again and again; return how many kills came while it was at work."""
    dice = random.Random(SEED)
    at_work = 0
    for _ in range(KILLS):
        process = start(folder)
        try:
            process.wait(timeout=dice.uniform(0, 2 * seconds_of_all / KILLS))
        except subprocess.TimeoutExpired:
            at_work += 1
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return at_work


def test_a_load_killed_again_and_again_comes_to_the_same(tmp_path: Path) -> None:
    """Every sum, credit, cost and disposition equals that of the load nobody disturbed."""
    clock = Path("/proc/uptime")
    began = float(clock.read_text().split()[0])
    finish(tmp_path / "calm")
    seconds = float(clock.read_text().split()[0]) - began
    calm = digest(tmp_path / "calm")
    assert calm["findings"] == []

    at_work = kill_at_random(tmp_path / "killed", seconds)
    finish(tmp_path / "killed")
    print(f"soak: seed {SEED}, {EVENTS} events, {KILLS} kills, {at_work} of them at work")
    assert at_work >= KILLS // 2
    assert digest(tmp_path / "killed") == calm

"""Steps at which tests break the program."""

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from streams.clock import Deadline
from streams.failpoints import DELAY_SECONDS, VARIABLE, FailpointReached, failpoint

REACH_TWICE = """
from streams.failpoints import failpoint
failpoint("here")
print("once", flush=True)
failpoint("here")
print("twice", flush=True)
"""


def reach_twice(armed: str) -> subprocess.Popen[str]:
    """Start a process that reaches the step `here` two times."""
    return subprocess.Popen(
        [sys.executable, "-c", REACH_TWICE],
        env={**os.environ, VARIABLE: armed},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_an_unarmed_step_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither without the variable, nor when another step is armed."""
    monkeypatch.delenv(VARIABLE, raising=False)
    failpoint("here")
    monkeypatch.setenv(VARIABLE, "elsewhere:1:raise")
    failpoint("here")


def test_a_step_fails_the_nth_time_it_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only then; several steps may be armed at once."""
    monkeypatch.setenv(VARIABLE, "nth:2:raise,other:1:raise")
    failpoint("nth")
    with pytest.raises(FailpointReached, match="nth, time 2"):
        failpoint("nth")
    failpoint("nth")
    with pytest.raises(FailpointReached, match="other, time 1"):
        failpoint("other")


def test_a_kill_leaves_no_time_for_last_words() -> None:
    """The process dies as by `kill -9`."""
    with reach_twice("here:2:kill") as process:
        said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (-signal.SIGKILL, "once\n")


def test_a_stopped_process_goes_on_when_told() -> None:
    """It freezes at the step, as a paused machine would, and knows nothing of it afterwards."""
    with reach_twice("here:2:stop") as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "once\ntwice\n")


def test_a_delay_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow step, no failure."""
    monkeypatch.setenv(VARIABLE, "slow:1:delay")
    deadline = Deadline(timedelta(seconds=DELAY_SECONDS))
    failpoint("slow")
    assert deadline.seconds_left() == 0.0


@pytest.mark.parametrize("armed", ["here", "here:kill", "here:x:kill", ":1:kill", "here:1:explode"])
def test_a_slip_in_the_variable_is_named(monkeypatch: pytest.MonkeyPatch, armed: str) -> None:
    """A test that breaks nothing because of a typing error would prove nothing."""
    monkeypatch.setenv(VARIABLE, armed)
    with pytest.raises(ValueError, match=VARIABLE):
        failpoint("here")

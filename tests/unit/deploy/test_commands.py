"""The commands that containers run are commands of the program."""

import pytest

from pnl.cli.app import outcome
from tests.unit.deploy.files import ours

NAMES = sorted(ours())


@pytest.mark.parametrize("name", NAMES)
def test_every_container_runs_a_command_there_is(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each can say what it does, and has the options that it is given."""
    words = ours()[name]["command"]
    command = [word for word in words if not word.startswith("-")]
    assert outcome([*command, "--help"]) == 0
    told = capsys.readouterr().out
    *names, last = command
    head = told.partition("\n")[0]
    with_argument = f" {' '.join(names)} " in head and last in told
    assert f" {' '.join(command)} " in head or with_argument
    assert all(word in told for word in words if word.startswith("-"))

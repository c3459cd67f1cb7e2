"""The progress line: for a person at a terminal, and for nobody else."""

import io

from pnl.cli.progress import Progress


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_pipe_sees_nothing() -> None:
    """Standard error that goes to a file or a program holds no progress."""
    pipe = io.StringIO()
    with Progress(pipe) as progress:
        progress.show("orders.csv: 5,000 rows", 1, 2)
    assert pipe.getvalue() == ""


def test_a_person_sees_how_far_it_is_and_the_line_goes_away() -> None:
    """A bar and its text are drawn, and wiped out before anything else is printed."""
    terminal = Terminal()
    with Progress(terminal) as progress:
        progress.show("orders.csv: 5,000 rows", 1, 2)
        drawn = terminal.getvalue()
    assert drawn == "\r[############............]  50% orders.csv: 5,000 rows"
    assert terminal.getvalue() == drawn + "\r" + " " * (len(drawn) - 1) + "\r"


def test_the_line_is_not_drawn_for_every_row() -> None:
    """Drawing costs time: ten thousand steps at once draw the first."""
    terminal = Terminal()
    progress = Progress(terminal)
    for step in range(10_000):
        progress.show(f"{step} rows")
    assert terminal.getvalue().count("\r") < 10

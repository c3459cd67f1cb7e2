"""The command line. The only place that prints; what takes long to load is loaded by commands."""

import os
import sys
from collections.abc import Sequence

from pnl.cli.ending import INTERRUPTED_TEXT, end_on_signals
from pnl.errors import Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # First of all: what is loaded next takes long enough to be told to stop meanwhile.
    end_on_signals(given)
    try:
        from pnl.cli.app import run_command
    except KeyboardInterrupt:
        sys.stderr.write(f"pnl: {INTERRUPTED_TEXT}\n")
        sys.stderr.flush()
        os._exit(Exit.INTERRUPTED)
    run_command(given)


__all__ = ["main"]

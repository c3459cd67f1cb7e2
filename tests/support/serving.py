"""`pnl run` without its page, as a process that may be killed.

python -m tests.support.serving FOLDER

It prints "ready" once it applies facts, and ends with the process that started it.
"""

import os
import sys
from pathlib import Path

from pnl.cli.ending import leave
from pnl.datafolder import DataFolder
from pnl.errors import Exit
from pnl.server import Server, hold
from pnl.settings_load import load
from streams.clock import SystemClock


def serve(folder: Path) -> None:
    """Serve a folder until it is killed, or left alone."""
    data = DataFolder(folder)
    data.prepare()
    hold(data, "pnl run", print)
    parent = os.getppid()
    with Server(data, load(folder), SystemClock(), print) as server:
        server.start()
        print("ready", flush=True)
        while os.getppid() == parent and not server.stopping.wait(0.2):
            server.check()
        server.check()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
    leave(Exit.OK)

"""The cyclic collector is set where facts are applied, not only where speed is measured."""

import subprocess
import sys
from pathlib import Path

from pnl.runtime import MIDDLE, OLD, YOUNG

SERVER = """
import gc, sys
from pathlib import Path
from pnl.datafolder import DataFolder
from pnl.server import Server, hold
from pnl.settings import Settings
from pnl.settings_load import Loaded
from streams.clock import SystemClock

folder = DataFolder(Path(sys.argv[1]))
folder.prepare()
lock = hold(folder, "test", print)
loaded = Loaded(settings=Settings(), files=(), variables=())
with Server(folder, loaded, SystemClock(), print) as server:
    server.start()
    server.check()
    print(*gc.get_threshold())
lock.release()
"""


def test_a_server_looks_for_cycles_seldom(tmp_path: Path) -> None:
    """Starting the server sets the thresholds of the whole process."""
    ran = subprocess.run(
        [sys.executable, "-c", SERVER, str(tmp_path / "data")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert ran.stdout.split() == [str(YOUNG), str(MIDDLE), str(OLD)]

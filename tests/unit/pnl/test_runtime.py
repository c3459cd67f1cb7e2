"""Memory is set where facts are applied, not only where speed is measured."""

import platform
import subprocess
import sys
from pathlib import Path

from pnl.runtime import ARENAS, MIDDLE, OLD, YOUNG

SERVER = """
import gc, os, sys
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
    print(*gc.get_threshold(), flush=True)
lock.release()
os._exit(0)  # as the program does: the engine's threads do not bear being taken apart
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


FREED = """
import ctypes, sys, threading
from pnl.runtime import tune_allocator
assert tune_allocator() or sys.argv[1] != "glibc"
def hold():
    blocks = [bytes(4_000) for _ in range(2_000)]
threads = [threading.Thread(target=hold) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.malloc_stats()
"""


def test_threads_share_few_arenas() -> None:
    """However many threads there are, the C library keeps no arena for each."""
    which = platform.libc_ver()[0]
    ran = subprocess.run(
        [sys.executable, "-c", FREED, which], capture_output=True, text=True, check=True, timeout=60
    )
    if which == "glibc":
        arenas = [line for line in ran.stderr.splitlines() if line.startswith("Arena ")]
        assert 1 <= len(arenas) <= ARENAS

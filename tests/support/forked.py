"""Commands in processes of their own that need not load the program: forks of one that has.

Loading takes most of the time of a small command. chDB is not loaded ahead: its engine does not
come up in a fork of a process that has it.
"""

import multiprocessing
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

LOADED: Final = ("pytest", "pnl.cli.app", "pnl.cli.asking", "pnl.cli.importing", "pnl.server")


def run(
    arguments: Sequence[str], *, cwd: Path, environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as `subprocess.run` does; TimeoutExpired where it has none."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LOADED))
    with TemporaryDirectory() as folder:
        said = [Path(folder) / name for name in ("out", "err")]
        process = context.Process(target=_command, args=(arguments, cwd, dict(environment), said))
        process.start()
        process.join(seconds)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
        process.close()
        out, err = (path.read_text("utf-8") if path.exists() else "" for path in said)
    if code is None:
        raise subprocess.TimeoutExpired(arguments, seconds, out, err)
    return subprocess.CompletedProcess(arguments, code, out, err)


def _command(
    arguments: list[str], cwd: Path, environment: Mapping[str, str], said: Sequence[Path]
) -> None:
    for number, path in enumerate((Path(os.devnull), *said)):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    from pnl.cli import main

    main(arguments)

"""What `pnl doctor` looks at without opening the data folder: settings, program, disk, clock."""

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from pnl.datafolder import DataFolder, FolderLock
from pnl.findings import Finding
from pnl.settings_load import Loaded
from pnl.version import code_version
from streams.clock import Clock

MIB: Final = 1 << 20
EMBEDDED: Final = ("chdb",)
"""Needed only where the store is in this process: the image for production has none."""
LIBRARIES: Final = ("clickhouse-connect", "nicegui", "msgspec", "pydantic", "pyarrow")


def machine_findings(folder: DataFolder, loaded: Loaded, clock: Clock) -> list[Finding]:
    """Return what is found about the installation and around the data folder."""
    found = [*_settings(folder, loaded), *_program(loaded)]
    if loaded.settings.log.kind == "kafka" and not folder.marker.is_file():
        return found  # nothing of ours lies on this machine
    if not folder.path.exists():
        text = f"{folder.path} does not exist yet"
        return [
            *found,
            Finding(check="data", state="ok", text=text, todo="start with `pnl demo`"),
        ]
    return [*found, *_folder(folder), *_disk(folder, loaded), *_clock(folder, clock)]


def _settings(folder: DataFolder, loaded: Loaded) -> Iterator[Finding]:
    files = ", ".join(str(file) for file in loaded.files) or "no file: defaults"
    variables = f"; variables {', '.join(loaded.variables)}" if loaded.variables else ""
    policy = loaded.settings.policies.version
    yield Finding(
        check="settings", state="ok", text=f"{files}{variables}; rules have version {policy}"
    )
    recorded = folder.policy if folder.marker.is_file() else ""
    if recorded not in ("", policy):
        yield Finding(
            check="settings",
            state="warn",
            text=f"the books were last kept by rules of version {recorded}",
            todo="`pnl run` says so if they differ for what is booked; see `pnl restate`",
        )


def _program(loaded: Loaded) -> Iterator[Finding]:
    dsn = loaded.settings.store.dsn
    embedded = dsn is None or dsn.get_secret_value().startswith("chdb:")
    libraries = []
    for name in EMBEDDED + LIBRARIES if embedded else LIBRARIES:
        try:
            libraries.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding(
                check="program",
                state="fail",
                text=f"the library {name} is not installed",
                todo="run `make install`",
            )
    yield Finding(
        check="program",
        state="ok",
        text=f"contact-pnl {code_version()}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}; {', '.join(libraries)}",
    )
    if sys.flags.optimize:
        yield Finding(
            check="program",
            state="fail",
            text="Python runs with -O, which switches checks off",
            todo="unset PYTHONOPTIMIZE",
        )


def _folder(folder: DataFolder) -> Iterator[Finding]:
    if not folder.marker.is_file():
        text = f"{folder.path} is no data folder of ours"
        todo = "name another folder with --data, or start with `pnl demo`"
        yield Finding(check="data", state="warn", text=text, todo=todo)
        return
    with FolderLock(folder, "pnl doctor") as lock:
        held = "held by nobody" if lock.take() else f"held by {lock.holder()}"
    yield Finding(check="data", state="ok", text=f"{folder.path}, {held}")
    if folder.path.stat().st_mode & 0o077:
        yield Finding(
            check="data",
            state="warn",
            text="other users of this machine can look into the data folder",
            todo=f"chmod 700 {folder.path}",
        )


def _disk(folder: DataFolder, loaded: Loaded) -> Iterator[Finding]:
    free, wanted = folder.bytes_free() // MIB, loaded.settings.limits.disk_free_mib_min
    if free < wanted:
        yield Finding(
            check="disk",
            state="fail",
            text=f"{free:,} MiB free, fewer than {wanted:,} [limits] disk_free_mib_min",
            todo="make room: with a full disk nothing more is accepted, and nothing is lost",
        )
    else:
        yield Finding(check="disk", state="ok", text=f"{free:,} MiB free")


def _clock(folder: DataFolder, clock: Clock) -> Iterator[Finding]:
    written_ms = int(folder.log.stat().st_mtime * 1000) if folder.log.exists() else 0
    if written_ms > clock.now_ms() + 60_000:
        yield Finding(
            check="clock",
            state="warn",
            text="the log was written in the future: the clock was set back",
            todo="set the clock; amounts do not depend on it, `booked_at` does",
        )
    else:
        yield Finding(check="clock", state="ok", text="does not lie behind the log")

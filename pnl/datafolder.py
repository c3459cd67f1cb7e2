"""The data folder: where everything lies that outlives a process, and who may hold it.

Law: at most one process holds the folder (journeys, sink and store live in it); the lock goes
with the process, however it ends. A folder of an unknown format is refused, never guessed at.

`log.sqlite` the event log · `store/` the chDB store · `control.sock` where a holder answers ·
`pnl.toml` the settings, if there are any · `lock` the holder's name · `folder.json` format and
the policy in force.
"""

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pnl.errors import CheckFailed, UserError

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The places inside a data folder; nothing is created before it is asked for."""

    path: Path

    @property
    def log(self) -> Path:
        """The event log's file."""
        return self.path / "log.sqlite"

    @property
    def store(self) -> Path:
        """The store's folder."""
        return self.path / "store"

    @property
    def churn(self) -> Path:
        """The model that `pnl fit churn` kept, if it did."""
        return self.path / "churn.json"

    @property
    def socket(self) -> Path:
        """The holder's control socket."""
        return self.path / "control.sock"

    @property
    def marker(self) -> Path:
        """The file that says the folder's format and the policy in force."""
        return self.path / "folder.json"

    def prepare(self) -> None:
        """Create the folder where there is none; UserError where it cannot be used."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self.marker.exists():
                self._write_marker({"format": FORMAT, "policy": ""})
        except (NotADirectoryError, FileExistsError):
            raise UserError(f"{self.path} is no folder; --data names the data folder.") from None
        except OSError as error:
            raise UserError(f"{self.path} cannot be used: {error.strerror}.") from None
        self.check()

    def check(self) -> None:
        """Refuse a folder that is not ours to read: absent, empty, or of another format."""
        if not self.marker.is_file():
            raise UserError(
                f"There is no data in {self.path}: start with `pnl demo` or `pnl import`, "
                "or name another folder with --data."
            )
        found = self._read_marker().get("format")
        if found != FORMAT:
            raise CheckFailed(
                f"{self.path} has format {found}, this program reads format {FORMAT}; "
                "use the program that wrote it."
            )

    @property
    def policy(self) -> str:
        """The version of the policy that journeys last booked under; empty before the first."""
        return str(self._read_marker().get("policy", ""))

    def record_policy(self, version: str) -> bool:
        """Note the policy now in force; True when it replaces another one."""
        before = self.policy
        if before != version:
            self._write_marker({"format": FORMAT, "policy": version})
        return before not in ("", version)

    def bytes_free(self) -> int:
        """Return how much the disk of the folder still takes."""
        return shutil.disk_usage(self.path).free

    def _read_marker(self) -> dict[str, object]:
        try:
            found = json.loads(self.marker.read_text("utf-8"))
        except (OSError, ValueError):
            raise CheckFailed(f"{self.marker} cannot be read: the folder is damaged.") from None
        return dict(found) if isinstance(found, dict) else {}

    def _write_marker(self, content: dict[str, object]) -> None:
        """Write whole or not at all: a reader never sees half a marker."""
        part = self.marker.with_suffix(f".{os.getpid()}")
        with part.open("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.marker)


class FolderLock:
    """The hold of one process on a data folder; it ends with the process at the latest."""

    def __init__(self, folder: DataFolder, command: str) -> None:
        self._file = folder.path / "lock"
        self._command = command
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the hold if nobody has it; never waits."""
        assert self._descriptor is None
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{self._command} (process {os.getpid()})".encode())
        self._descriptor = descriptor
        return True

    def holder(self) -> str:
        """Return who holds the folder, as a person would say it."""
        try:
            return self._file.read_text("utf-8") or "another command"
        except OSError:
            return "another command"

    def release(self) -> None:
        """Give the hold up."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

"""Opening what is imported: a file, gzipped or not, or standard input; and how far it was read."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from pnl.importing.rows import FORMATS, Format, ImportProblem

_SUFFIXES: Final[dict[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}


class Source:
    """Bytes to import, with a name for errors. Close it after use."""

    def __init__(self, path: Path | None, stream: IO[bytes]) -> None:
        self.name: Final = "standard input" if path is None else str(path)
        self.path: Final = path
        self._raw = stream
        zipped = path is not None and path.suffix == ".gz"
        unzipped = gzip.GzipFile(fileobj=stream) if zipped else stream
        self.stream: Final = cast("IO[bytes]", unzipped)
        self.size_bytes: Final = None if path is None else path.stat().st_size

    def position_bytes(self) -> int | None:
        """Return how much of the file was read, of its size on disk; None for a pipe."""
        if self.size_bytes is None or self._raw.closed:
            return self.size_bytes
        return self._raw.tell()

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self.path is not None:
            self.stream.close()
            self._raw.close()


def open_source(path: Path | None, stdin: IO[bytes]) -> Source:
    """Open a path, or standard input for None. ImportProblem when it cannot be read."""
    if path is None:
        return Source(None, stdin)
    try:
        return Source(path, path.open("rb"))
    except OSError as error:
        raise ImportProblem(f"{path}: cannot be read: {error.strerror}") from error


def format_of(path: Path | None, given: Format | None, *, has_map: bool) -> Format:
    """Return the format asked for, else that of the file's name, else JSON lines or mapped CSV."""
    if given is not None:
        return given
    if path is None:
        return "csv" if has_map else "jsonl"
    name = path.with_suffix("") if path.suffix == ".gz" else path
    found = _SUFFIXES.get(name.suffix.lower())
    if found is None:
        known = ", ".join(FORMATS)
        raise ImportProblem(f"{path}: the name does not tell the format; give one of {known}")
    return found


@contextmanager
def readable(source: Source) -> Iterator[None]:
    """Turn failures of the file itself into one sentence."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImportProblem(f"{source.name}: damaged or cut off gzip file: {error}") from error
    except OSError as error:
        raise ImportProblem(f"{source.name}: cannot be read: {error.strerror or error}") from error

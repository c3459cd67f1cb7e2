"""Which line of a settings file a person has to look at.

TOML is read by the standard library, which knows no lines: they are looked for in the text, so a
line that cannot be found is that of the table it must stand in.
"""

import re
from pathlib import Path


def line_of_change(file: Path | None, number: int, keys: tuple[str, ...]) -> int:
    """Return the line of a key of the change with this number (from 0), counted from 1."""
    lines = [] if file is None else file.read_text("utf-8").splitlines()
    headers = [at for at, line in enumerate(lines) if re.match(r"\s*\[\[\s*changes\s*\]\]", line)]
    if number >= len(headers):  # written as an array in one line, or with quotes
        found = [at for at, line in enumerate(lines) if "changes" in line]
        return (found[0] if found else 0) + 1
    start = headers[number]
    end = next((at for at in range(start + 1, len(lines)) if _is_other(lines[at])), len(lines))
    for key in reversed(keys):
        word = re.compile(rf"(?<![\w-]){re.escape(key)}(?![\w-])")
        for at in range(start, end):
            if word.search(lines[at].partition("#")[0]):
                return at + 1
    return start + 1


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Return the line of a key, counted from 1: of `(table, …, key)`, or `(list, number, key, …)`.

    The line of the table where the key cannot be found, and 1 where the table cannot.
    """
    lines = text.splitlines()
    listed = len(path) > 1 and path[1].isdigit()
    name = path[:1] if listed else path[:-1]
    opened = r"\s*\.\s*".join(re.escape(part) for part in name)
    header = re.compile(rf"\s*\[\s*\[\s*{opened}\s*\]" if listed else rf"\s*\[\s*{opened}\s*\]")
    headers = [at for at, line in enumerate(lines) if name and header.match(line)]
    number = int(path[1]) if listed else 0
    start = headers[number] if number < len(headers) else 0
    inside = start + 1 if headers else start
    tables = (at for at in range(inside, len(lines)) if re.match(r"\s*\[", lines[at]))
    end = next(tables, len(lines)) if headers else len(lines)
    for key in reversed(path[2:] if listed else path):
        word = re.compile(rf"(?<![\w-]){re.escape(key)}(?![\w-])")
        for at in range(start, end):
            if word.search(lines[at].partition("#")[0]):
                return at + 1
    return start + 1


def _is_other(line: str) -> bool:
    """Say whether a table begins here that is none of the change's own."""
    return bool(re.match(r"\s*\[", line)) and not re.match(r"\s*\[\s*changes\s*\.", line)

"""Options of a report as they come: text that must be one of some words, or a whole number."""

from collections.abc import Mapping, Sequence

from pnl.reports.model import BadRequest


def whole(options: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """Return an option that is a whole number within bounds."""
    text = options.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise BadRequest(f"--set {name}={text} must be a whole number from {low} to {high}.")
    return int(text)


def choice(options: Mapping[str, str], name: str, allowed: Sequence[str]) -> str:
    """Return an option that is one of several words, by default the first."""
    text = options.get(name, allowed[0])
    if text not in allowed:
        raise BadRequest(f"{name} must be one of {', '.join(allowed)}, not {text!r}.")
    return text

"""What `pnl doctor` found: one thing it looked at, how it is, and what to do about it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

State: TypeAlias = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`todo` is empty where nothing need be done."""

    check: str
    state: State
    text: str
    todo: str = ""


def as_json(finding: Finding) -> dict[str, Any]:
    """Return the finding as other programs read it."""
    return asdict(finding)


def failed(findings: Iterable[Finding]) -> bool:
    """Say whether something is broken; a warning is not."""
    return any(finding.state == "fail" for finding in findings)


def render(findings: Iterable[Finding]) -> str:
    """Return findings as text, one a line, what to do below."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:4}  {finding.check:12}  {finding.text}")
        if finding.todo:
            lines.append(f"{'':20}→ {finding.todo}")
    return "\n".join(lines)

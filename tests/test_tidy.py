"""House rules that a linter does not know: a smoke alarm, silenced here by name and reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("streams", "processors", "sinks", "pnl")
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 400

LONG_FUNCTIONS: dict[str, str] = {}
"""`path:function` -> why it may be long."""
LONG_MODULES: dict[str, str] = {}
"""path -> why it may be long."""
WALL_CLOCK = {"streams/clock.py": "the one place that reads the clock"}
PRINTING = {"pnl/cli": "the command line is what speaks to people"}
CLOCKS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "monotonic"),
    ("time", "monotonic_ns"),
    ("time", "sleep"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}
SAYS_LATER = ("TO" + "DO", "FIX" + "ME", "X" * 3 + " ")


def sources(*folders: str) -> list[Path]:
    """Return our Python files."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    """Return a path as it is written here."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function takes, its decorators left out."""
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def calls(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Yield (owner, name, line) of every call: ("time", "sleep", 3), ("", "print", 4)."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Attribute):
            owner = called.value
            last = getattr(owner, "id", getattr(owner, "attr", ""))
            yield last, called.attr, node.lineno
        elif isinstance(called, ast.Name):
            yield "", called.id, node.lineno


def test_functions_fit_a_screen() -> None:
    """A function of ours has at most 70 lines, unless its reason stands here."""
    long = {
        f"{name(path)}:{node.name}": length(node)
        for path in sources(*OURS)
        for node in functions(path)
        if length(node) > FUNCTION_LINES_MAX
    }
    assert {key: lines for key, lines in long.items() if key not in LONG_FUNCTIONS} == {}
    assert set(LONG_FUNCTIONS) <= set(long), "a silenced function is short now"


def test_modules_have_one_idea() -> None:
    """A module of ours has at most 400 lines, unless its reason stands here."""
    long = {
        name(path): lines
        for path in sources(*OURS)
        if (lines := len(path.read_text("utf-8").splitlines())) > MODULE_LINES_MAX
    }
    assert {key: lines for key, lines in long.items() if key not in LONG_MODULES} == {}
    assert set(LONG_MODULES) <= set(long), "a silenced module is short now"


def test_only_the_clock_reads_the_clock() -> None:
    """Time is an argument; waiting and wall time come from streams/clock.py."""
    found = [
        f"{name(path)}:{line}: {owner}.{called}"
        for path in sources(*OURS)
        if name(path) not in WALL_CLOCK
        for owner, called, line in calls(ast.parse(path.read_text("utf-8")))
        if (owner, called) in CLOCKS
    ]
    assert found == []


def test_only_the_command_line_prints() -> None:
    """What a person reads leaves by the command line alone."""
    found = [
        f"{name(path)}:{line}"
        for path in sources(*OURS)
        if not any(name(path).startswith(place) for place in PRINTING)
        for owner, called, line in calls(ast.parse(path.read_text("utf-8")))
        if (owner, called) in {("", "print"), ("typer", "echo")}
    ]
    assert found == []


def test_nothing_is_left_for_later() -> None:
    """No note in the code says that something is still to be done."""
    found = [
        f"{name(path)}:{number}"
        for path in sources(*OURS, "tests", "bench")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if any(word in line for word in SAYS_LATER)
    ]
    assert found == []


def test_every_test_states_its_promise() -> None:
    """A test's docstring is one sentence: what it promises."""
    found = [
        f"{name(path)}:{node.name}"
        for path in sources("tests")
        for node in functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert found == []


def test_tests_neither_sleep_nor_pretend() -> None:
    """Tests wait for a condition with a limit, and fakes are implementations, not mocks."""
    found = [
        f"{name(path)}:{line}: {called}"
        for path in sources("tests")
        for owner, called, line in calls(ast.parse(path.read_text("utf-8")))
        if (owner, called) == ("time", "sleep") or called in ("Mock", "MagicMock", "patch")
    ]
    assert found == []


@pytest.mark.parametrize("package", OURS)
def test_packages_are_typed(package: str) -> None:
    """Each package tells type checkers that it is typed."""
    assert (ROOT / package / "py.typed").is_file()

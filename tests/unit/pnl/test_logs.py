"""Logging: JSON lines, whoever writes them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from pnl import logs


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Configure logging into a stream, and put back what was there."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_ours_and_a_librarys_lines_are_the_same_json(lines: io.StringIO) -> None:
    """Level, logger, time and event are in each; what we bind is beside them."""
    structlog.get_logger("ours").warning("store_slow", seconds=3)
    logging.getLogger("library").error("it %s", "broke")
    first, second = (json.loads(line) for line in lines.getvalue().splitlines())
    assert (first["event"], first["level"], first["seconds"]) == ("store_slow", "warning", 3)
    assert (second["event"], second["level"], second["logger"]) == ("it broke", "error", "library")
    assert "timestamp" in first
    assert "timestamp" in second


def test_an_exception_stays_on_its_line(lines: io.StringIO) -> None:
    """A traceback is a field, so that one event is one line."""
    try:
        raise KeyError("x")
    except KeyError:
        logging.getLogger("library").exception("failed")
    (line,) = lines.getvalue().splitlines()
    assert "KeyError: 'x'" in json.loads(line)["exception"]


def test_chatter_is_left_out(lines: io.StringIO) -> None:
    """Below a warning nothing is written."""
    logging.getLogger("library").info("hello")
    assert lines.getvalue() == ""

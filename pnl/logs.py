"""Logging: one JSON line per event on stderr, ours and the libraries' alike.

Only warnings and worse by default: what a person needs to know stands in the commands' own
sentences, in dead letters and in `pnl doctor`.
"""

import logging
import sys
from typing import Final, TextIO

import structlog
from structlog.typing import Processor

SHARED: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
)
"""What every line carries, whoever wrote it."""


def configure(stream: TextIO = sys.stderr, level: int = logging.WARNING) -> None:
    """Send everything that is logged, by us or by a library, to one stream as JSON lines."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=list(SHARED),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )

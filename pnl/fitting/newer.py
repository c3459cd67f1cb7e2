"""A model that `pnl fit churn` wrote while journeys run: they take it up between two batches.

Law: it is taken up as a restart would take it up: what a batch says comes of one model, and each
record names it. A newer file that cannot be used leaves the former model at work, and is told once.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pnl.errors import UserError

if TYPE_CHECKING:
    from processors.live_churn import LiveModel

_LOGGER: Final = logging.getLogger("churn")


class NewerModel:
    """Says when a file's model is another than it was; make it before the file is first read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._stamp()

    def __call__(self) -> "LiveModel | None":
        """Return the model of a file that has changed since this was last asked; None else."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return None
        self._seen = stamp
        from pnl.fitting.live import load_live_risk  # it loads numbers' libraries

        try:
            model = load_live_risk(self._path)
        except UserError as problem:
            _LOGGER.warning("the newer model is not used: %s", problem)
            return None
        if model is not None:
            _LOGGER.info("journeys use the model %s from here on", model.name)
        return model

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

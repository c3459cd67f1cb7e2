"""Which program this is: written into every result, so that a number names its maker."""

from importlib.metadata import version


def code_version() -> str:
    """Return the version of the installed program."""
    return version("contact-pnl")

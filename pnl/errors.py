"""How a command ends: an exception class is an instruction, and each has one exit code.

Law: a person sees one sentence that names the file, line, field or setting; the exit code tells a
supervisor whether starting the same command again can help. What the parts of the program raise
has its code in `pnl.cli.ending`.
"""

from enum import IntEnum


class Exit(IntEnum):
    """What a script and a supervisor see; docs/cli.md says the same to people."""

    OK = 0
    FAILED = 1
    """A check failed, or the program could not go on."""
    MISTAKE = 2
    """The person's mistake, or a bad configuration."""
    FENCED = 3
    """Another process took over: this one wrote nothing more."""
    DAMAGED = 4
    """The log contradicts itself, or a state is refused: a person must look."""
    LOG_FAILED = 5
    """The log refused for good, or nobody can tell what it did: a restart goes on."""
    STORE_STOPPED = 6
    """The store needs a person: schema, rights, or an error nobody has thought about."""
    LAW_BROKEN = 7
    """What would be booked contradicts a law: a bug of ours. Nothing of it is written."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or a signal before the command was done; nothing is lost."""


RESTARTABLE = frozenset({Exit.FAILED, Exit.FENCED, Exit.LOG_FAILED, Exit.INTERRUPTED})
"""Codes after which the same command, started again, may go on."""


class UserError(Exception):
    """The person's mistake: says what is wrong, where, and what to do. Exit 2."""


class CheckFailed(Exception):
    """A check said no, or the program could not go on. Exit 1."""


class LawBreach(CheckFailed):
    """A law does not hold for what would be booked: nothing of it was written. Exit 7."""


class Interrupted(Exception):
    """Stopped by Ctrl-C or a signal before the command was done; nothing is lost. Exit 130."""

"""How a command ends: an exception class is an instruction, and each has one exit code.

Law: a person sees one sentence that names the file, line, field or setting; exit 2 says that
the person can put it right by asking differently, exit 1 that a check failed or the program
could not go on.
"""


class UserError(Exception):
    """The person's mistake: says what is wrong, where, and what to do. Exit 2."""


class CheckFailed(Exception):
    """A check said no, or the program could not go on. Exit 1."""


class Interrupted(Exception):
    """Stopped by Ctrl-C or a signal before the command was done; nothing is lost. Exit 130."""

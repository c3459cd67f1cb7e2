"""Workers: one role of the program each, as many processes as wanted, on a log that is shared.

Law: a worker holds nothing that outlives it. Whatever ends it, another one in its slot goes on from
what is committed; so it stops rather than guesses, with an exit code that says whether starting it
again can help.
"""

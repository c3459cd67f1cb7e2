"""The auditor: a reader of the log that counts again what the others say they did.

Law: it believes nobody. What it compares was written by two different hands, or worked out twice
on two different ways; where the two differ it raises an alarm and, if it is about money, halts
the sink: stopping is better than being wrong.
"""

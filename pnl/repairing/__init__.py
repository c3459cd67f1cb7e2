"""Repair: makes good in the log what a torn batch did to it, and says so there.

Law: nothing is deleted and nothing overwritten. What stands twice is taken back by entries of its
own, what is missing is booked, in one transaction with a batch record that names what it found. So
after a repair the laws hold again, and what had been reported before can still be worked out.
"""

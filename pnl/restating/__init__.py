"""Rules that differ from those the books were made by: noticed at the start, and made good.

Law: the books of a partition are made by one book of policies, which lies beside them. Whoever
would book by another, for dates on which something may be booked, is refused; `pnl restate` shows
what that comes to in money, and books it.
"""

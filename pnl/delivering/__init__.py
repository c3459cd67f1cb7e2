"""Delivery: one role per route, which sends what `pnl.alerts.v1` says its route is to get.

Law: an alert is sent at least once, with the same identity each time, until its destination takes
it, refuses it for good, or its time is over; and the log says which. No route waits for another,
and nothing else waits for any.
"""

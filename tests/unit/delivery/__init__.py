"""Delivery of alerts: where it may go, how it is sent, what is remembered of it."""

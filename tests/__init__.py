"""The tests, and what they share: an oracle, drivers, scenarios."""

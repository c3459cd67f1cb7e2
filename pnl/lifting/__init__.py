"""Outcome effect and retention: from files and from the store to `processors.lift`."""

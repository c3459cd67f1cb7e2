"""Fits of the customer models, their evaluation, and the files they are kept in."""

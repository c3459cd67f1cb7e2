"""The command line. The only place that prints; what takes long to load is loaded by commands."""

from pnl.cli.app import main

__all__ = ["main"]

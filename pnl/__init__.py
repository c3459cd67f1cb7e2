"""The program: command line, settings, wiring."""

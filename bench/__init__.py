"""Benchmarks, each with a correctness gate: a figure counts only if its result was right."""

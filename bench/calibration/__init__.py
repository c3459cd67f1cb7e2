"""Whether the estimators find what was put in: seeded worlds whose truth is known."""

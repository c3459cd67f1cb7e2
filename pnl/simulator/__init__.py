"""A seeded contact centre with effects that are known, laid over an order stream."""

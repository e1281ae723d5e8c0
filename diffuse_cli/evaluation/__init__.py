"""Measured quality and speed: test protocols, measures, other tools, benchmarks. Nothing restores with it."""

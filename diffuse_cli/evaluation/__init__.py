"""Quality and speed, measured: test protocols, metrics, other tools, benchmarks. Nothing restores with it.

May import: `tasks` and below.
Start with: `protocol.py` for the test protocols, `evaluate.py` for quality, `benchmark.py` for speed.
"""

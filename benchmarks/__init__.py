"""Measured ratios against named peers: `python -m benchmarks TOPIC [--quick]`."""

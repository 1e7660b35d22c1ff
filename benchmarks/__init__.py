"""Benchmarks beside HAProxy: `python -m benchmarks.tcp --rounds 5 --json tcp.json`."""

"""Benchmarks, one script per subject; see docs/benchmarks.md."""

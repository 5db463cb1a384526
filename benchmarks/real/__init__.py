"""The product on real people: `python -m benchmarks.real`."""

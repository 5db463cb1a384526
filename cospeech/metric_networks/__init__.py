"""Published networks that measures look through, from official weights (formats: docs/reference/metrics.md)."""

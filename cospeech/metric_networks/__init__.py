"""Published networks that measures look through, from official weights on disk (docs/reference/metrics.md has their formats)."""

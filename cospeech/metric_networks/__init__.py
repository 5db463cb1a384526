"""Published networks that measures look through, from official weights on disk (docs/metrics.md has their formats)."""

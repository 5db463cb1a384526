"""Measures as pure functions of arrays; the networks behind some are in `networks`."""

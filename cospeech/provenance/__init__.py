"""Signed provenance of videos and models: who made them, and from what. The files carry it; anyone can verify it."""

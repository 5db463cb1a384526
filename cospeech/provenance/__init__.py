"""Signed provenance: who made a video or a model, from what; kept by the file itself, checked by anyone."""

"""Assemble an export: the code that it needs, its model card and its provenance."""

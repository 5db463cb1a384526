"""Promoted models: where they are kept, and the gate before them."""

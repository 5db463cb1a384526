"""The ways to compute input-aware sparse attention; all give what `dense` gives."""

"""The export: which code goes along, and what its card says."""

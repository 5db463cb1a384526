"""Processes of flows: environment, locks, process groups, signals."""

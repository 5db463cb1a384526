"""Processes that run flows: environment, locks, process groups, signals."""

"""Gesture measures of voice to motion, and the baselines beside it."""

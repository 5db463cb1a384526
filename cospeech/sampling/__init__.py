"""Noise to video: Euler steps, windows and streams, the folded and quantised student."""

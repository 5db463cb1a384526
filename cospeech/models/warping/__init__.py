"""The deformed reference: rigid moving least squares, limbs, learned offsets."""

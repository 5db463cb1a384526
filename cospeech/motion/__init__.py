"""Voice to motion: representation, model, streaming, blinks."""

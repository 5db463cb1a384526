"""The seeded, resumable training loop, and the losses of teacher, student and motion."""

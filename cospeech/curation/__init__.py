"""What is measured of a clip, and the verdict on it."""

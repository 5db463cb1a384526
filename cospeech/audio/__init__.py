"""What is heard, per video frame: log-mel, a learned feature, voice activity; words and phones with times."""

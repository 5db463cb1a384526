"""Audio features per video frame (log-mel, a learned feature, voice activity), and words and phones with times."""

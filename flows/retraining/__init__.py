"""Scheduled retraining: train, compare with production, promote or keep, notify."""

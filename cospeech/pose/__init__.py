"""Keypoints: detectors, cleaning, regions, deformation, skeleton pictures."""

"""How many faces a picture shows (MediaPipe face detection, full range model)."""

from collections.abc import Sequence

import numpy as np

from cospeech.harness.stderr_filter import without_notices


def count_faces(frames: Sequence[np.ndarray]) -> list[int]:
    """For each of some pictures (H, W, 3) uint8 RGB."""
    with without_notices():
        from mediapipe.python.solutions.face_detection import FaceDetection

        with FaceDetection(model_selection=1, min_detection_confidence=0.5) as detector:
            return [len(detector.process(np.ascontiguousarray(frame)).detections or []) for frame in frames]

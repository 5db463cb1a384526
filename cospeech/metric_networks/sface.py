"""Face features of frames by SFace (Zhong et al., IEEE TIP 2021), OpenCV's face recognition.

Axes: T frames, H W pixels, D features.
"""

from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import torch

from cospeech.models.perception.face import align_faces


class SFace:
    """The network of OpenCV's model zoo, whose faces are aligned as ArcFace's are."""

    source = "SFace, of OpenCV's model zoo"

    def __init__(self, weights: Path, key: str = "sface") -> None:
        """weights: face_recognition_sface_2021dec.onnx, in 32 or 8 bits."""
        if not weights.is_file():
            raise ValueError(f"{key}: {weights}: no such file; `cospeech measures fetch` brings it")
        try:
            self._net = cv2.FaceRecognizerSF.create(str(weights), "")
        except cv2.error as error:
            raise ValueError(
                f"{key}: {weights} is not SFace's network: {' '.join(str(error).split())[:200]}"
            ) from error
        self._one_at_a_time = Lock()  # the network keeps its layers' results in itself

    def __call__(self, frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """(T, H, H, 3) uint8, (T, 133, 2) pixels -> (T, 128) float32 of length 1."""
        pictures = torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2).float()
        faces = align_faces(pictures, keypoints / frames.shape[1]).permute(0, 2, 3, 1).round().byte().numpy()
        with self._one_at_a_time:
            found = np.concatenate([self._net.feature(np.ascontiguousarray(face[..., ::-1])) for face in faces])
        return found / np.linalg.norm(found, axis=1, keepdims=True)

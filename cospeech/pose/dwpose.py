"""DWPose (arXiv 2307.15880), or another whole-body model of its kind, through rtmlib from ONNX weights on disk.

A YOLOX detector finds the person, a SimCC pose model (RTMPose, RTMW) gives 133 keypoints in COCO-WholeBody order.
"""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cospeech.pose import skeleton as sk
from cospeech.pose.cleaning import clean
from cospeech.pose.track import PoseTrack
from cospeech.utils.extras import require_extra

if TYPE_CHECKING:
    from rtmlib import YOLOX, RTMPose

WHERE = (
    "get the YOLOX person detector and the whole-body pose model (*.onnx) that DWPose or RTMW publish and name their "
    "paths in params.yaml, or set poses.backend to mediapipe"
)


@dataclass(frozen=True)
class DwposeOptions:
    """detector, pose: paths of ONNX files. device: cpu or cuda."""

    detector: Path
    pose: Path
    device: str = "cpu"


class DwposeDetector:
    """Holds the two ONNX sessions. Of several people the one with the largest box is taken."""

    def __init__(self, options: DwposeOptions) -> None:
        """Raises ValueError if a weight file is missing or no such model, or the device is not there."""
        self._people, self._points = load_models(options)

    def detect_video(self, frames: np.ndarray) -> PoseTrack:
        """Keypoints of one shot. frames: (T, H, H, 3) uint8 RGB, square. Raises ValueError if there are none or not."""
        if frames.ndim != 4 or frames.shape[1] != frames.shape[2] or len(frames) == 0:
            raise ValueError(f"detect_video needs one or more square frames (T, H, H, 3), got {frames.shape}")
        return self._detect_frames(frames)

    def detect_image(self, frame: np.ndarray) -> PoseTrack | None:
        """One frame: the person in a picture (H, W, 3) uint8 RGB; None if nobody is."""
        track = self._detect_frames(frame[None])
        return track if track.found.any() else None

    def close(self) -> None:
        """Nothing to release before the object itself goes."""

    def _detect_frames(self, frames: np.ndarray) -> PoseTrack:
        keypoints, confidence = (np.stack(each) for each in zip(*map(self._detect, frames), strict=True))
        _, height, width, _ = frames.shape
        return clean(PoseTrack(keypoints, confidence, (height, width)), np.full((len(frames), 2), 0.5, np.float32))

    def _detect(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        picture = np.ascontiguousarray(frame[..., ::-1])  # both models take BGR
        boxes = np.asarray(self._people(picture), np.float32).reshape(-1, 4)
        if len(boxes) == 0:  # rtmlib would take the whole picture for a person
            return np.full((sk.KEYPOINTS, 2), np.nan, np.float32), np.zeros(sk.KEYPOINTS, np.float32)
        largest = boxes[np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).argmax()]
        keypoints, scores = self._points(picture, bboxes=[largest])
        # SimCC counts from the centre of the first pixel, we from its corner; its heights can pass 1 a little
        return (keypoints[0] + 0.5).astype(np.float32), scores[0].clip(0, 1).astype(np.float32)


def load_models(options: DwposeOptions) -> tuple["YOLOX", "RTMPose"]:
    """rtmlib's YOLOX and RTMPose over the weights, with the input sizes that the files declare."""
    require_extra("dwpose", "poses.backend: dwpose", "onnxruntime", "rtmlib")
    import onnxruntime
    from rtmlib import YOLOX, RTMPose

    if options.device == "cuda" and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise ValueError("poses.dwpose.device is cuda, but the installed onnxruntime has no CUDA; use cpu")
    models = []
    for key, kind, path in (("detector", YOLOX, options.detector), ("pose", RTMPose, options.pose)):
        if not path.is_file():  # rtmlib would take it for an address to download from
            raise ValueError(f"poses.dwpose.{key}: {path}: no such file; {WHERE}")
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                model = kind(str(path), backend="onnxruntime", device=options.device)
        except Exception as error:  # onnxruntime raises several kinds of its own
            raise ValueError(
                f"poses.dwpose.{key}: {path}: not a model that onnxruntime loads ({error}); {WHERE}"
            ) from error
        models.append(model)
    people, points = models
    height, width = _input_side(people, (640, 640))
    people.model_input_size = (height, width)
    height, width = _input_side(points, (384, 288))
    points.model_input_size = (width, height)
    count = points.session.get_outputs()[0].shape[1]
    if len(points.session.get_outputs()) != 2 or count != sk.KEYPOINTS:
        raise ValueError(f"poses.dwpose.pose: {options.pose}: gives {count} keypoints where 133 are needed; {WHERE}")
    return people, points


def _input_side(model: "YOLOX | RTMPose", default: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the model's input (B, 3, H, W); `default` where the file leaves them open."""
    height, width = model.session.get_inputs()[0].shape[2:]
    return (height, width) if isinstance(height, int) and isinstance(width, int) else default

"""MediaPipe Holistic 0.10 as a detector of the 133 COCO-WholeBody keypoints.

The graph is the one that `mediapipe.solutions.holistic.Holistic` runs, with more of its streams read, which the Python
class leaves out: the presence scores of face and hands, and which hand each looks like. docs/reference/keypoints.md
tells what each confidence is. The pose model's silhouette, which it draws in every frame though nobody reads it, is cut
out: an eighth of a frame's processor time or more, and the keypoints are the same to the bit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from cospeech.harness.stderr_filter import without_notices
from cospeech.pose import skeleton as sk
from cospeech.pose.cleaning import clean
from cospeech.pose.tflite import without_output
from cospeech.pose.track import PoseTrack

if TYPE_CHECKING:
    from mediapipe.framework.calculator_pb2 import CalculatorGraphConfig
    from mediapipe.python.solution_base import SolutionBase

# COCO body point i is MediaPipe pose landmark POSE_LANDMARKS[i].
POSE_LANDMARKS = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
# COCO foot point -> pose landmark. MediaPipe has one toe point a foot: the small toes stay unseen.
FOOT_LANDMARKS = {17: 31, 19: 29, 20: 32, 22: 30}
# 300-W face point i is mesh vertex FACE_VERTICES[i], or the mean of the two: symmetric, from the person's right.
FACE_VERTICES: tuple[tuple[int, ...], ...] = (
    (127,), (234,), (93,), (132, 58), (58, 172), (136,), (150,), (176,), (152,),
    (400,), (379,), (365,), (397, 288), (288, 361), (323,), (454,), (356,),  # jaw
    (70,), (63,), (105,), (66,), (107,), (336,), (296,), (334,), (293,), (300,),  # brows
    (168, 6), (197, 195), (5,), (4,), (75,), (97,), (2,), (326,), (305,),  # nose
    (33,), (160,), (158,), (133,), (153,), (144,), (362,), (385,), (387,), (263,), (373,), (380,),  # eyes
    (61,), (39,), (37,), (0,), (267,), (269,), (291,), (321,), (314,), (17,), (84,), (91,),  # outer lips
    (78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,),  # inner lips
)  # fmt: skip

_GRAPH = "mediapipe/modules/holistic_landmark/holistic_landmark_cpu.binarypb"
_LANDMARKS = ("pose_landmarks", "face_landmarks", "left_hand_landmarks", "right_hand_landmarks")
_FACE_SCORE = "facelandmarksfromposecpu__facelandmarkcpu__face_presence_score"
_HAND = "handlandmarksleftandrightcpu__handlandmarksfromposecpu_{}__handlandmarkcpu__"
_HAND_SCORES = tuple(_HAND.format(number) + "hand_presence_score" for number in (1, 2))  # left, right
_HANDEDNESS = tuple(_HAND.format(number) + "handedness" for number in (1, 2))
# The hand model was trained on mirrored pictures: it calls the person's left hand Right.
_OWN_LABEL = ("Right", "Left")
_POSE = "poselandmarkcpu__"
_POSE_MODEL = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
_POSE_MODEL_LOADER = f"{_POSE}poselandmarkbyroicpu__poselandmarkmodelloader__TfLiteModelCalculator"
_SILHOUETTE, _PRESENCE = 2, 1  # numbers of the pose model's outputs; the Holistic graph reads all others


class Landmark(Protocol):
    """Of the picture, 0..1; visibility: of points of the body."""

    x: float
    y: float
    visibility: float


class LandmarkList(Protocol):
    landmark: Sequence[Landmark]


class _Landmarks(Protocol):
    """What the graph gives for one frame, None where there is none; and its other outputs, by their names."""

    pose_landmarks: LandmarkList | None
    face_landmarks: LandmarkList | None
    left_hand_landmarks: LandmarkList | None
    right_hand_landmarks: LandmarkList | None


Found = tuple[np.ndarray, np.ndarray, np.ndarray]
"""One frame: keypoints (133, 2) pixels, NaN where there is none; confidence (133,); own_side (2,), how surely the hand
reported as left, as right, is one (0.5: no opinion)."""


@dataclass(frozen=True)
class MediaPipeOptions:
    """detection, tracking: least score of a person found, of a person followed. hand: least presence score of a hand.
    size: frames of a shorter side are enlarged to it before detection (0: never)."""

    detection: float = 0.5
    tracking: float = 0.5
    hand: float = 0.5
    size: int = 512


class MediaPipeDetector:
    """Holds one graph for video and, once needed, one for single pictures; models are loaded once."""

    def __init__(self, options: MediaPipeOptions) -> None:
        self.options = options
        self._graphs: dict[bool, SolutionBase] = {}

    def detect_video(self, frames: np.ndarray) -> PoseTrack:
        """Keypoints of one continuous shot. frames: (T, H, H, 3) uint8 RGB, square.

        Raises:
            ValueError: no frames, or not square.
        """
        if frames.ndim != 4 or frames.shape[1] != frames.shape[2] or len(frames) == 0:
            raise ValueError(f"detect_video needs one or more square frames (T, H, H, 3), got {frames.shape}")
        return self.detect_frames(frames)

    def detect_frames(self, frames: Iterable[np.ndarray]) -> PoseTrack:
        """Keypoints of one continuous shot of any length, taken frame by frame: (H, W, 3) uint8 RGB, one or more of one
        size."""
        found, width, height = [], 0, 0
        for index, frame in enumerate(frames):
            found.append(self._detect(frame, first=index == 0))
            height, width = frame.shape[:2]
        raw, scores, own_side = (np.stack(each) for each in zip(*found, strict=True))
        return clean(PoseTrack(raw, scores, (height, width)), own_side)

    def detect_image(self, frame: np.ndarray) -> PoseTrack | None:
        """One frame: the person in a picture (H, W, 3) uint8 RGB; None if nobody is."""
        found = self._detect(frame, first=not self._graphs.get(True), still=True)
        if not found[1].any():
            return None
        raw, scores, own_side = (each[None] for each in found)
        return clean(PoseTrack(raw, scores, frame.shape[:2]), own_side)

    def close(self) -> None:
        for graph in self._graphs.values():
            graph.close()
        self._graphs.clear()

    def _detect(self, frame: np.ndarray, first: bool, still: bool = False) -> Found:
        picture = enlarge(frame, self.options.size)
        if not first:
            result = self._graphs[still].process({"image": picture})
        else:
            with without_notices():
                if still in self._graphs:
                    self._restart(self._graphs[still])
                else:
                    self._graphs[still] = build_graph(self.options, still)
                result = self._graphs[still].process({"image": picture})
        return wholebody(result, frame.shape[1], frame.shape[0])

    @staticmethod
    def _restart(graph: "SolutionBase") -> None:
        """Forget the clip before. The clock too: smoothing computes with times, and rounding would tell."""
        graph.reset()
        graph._simulated_timestamp = 0


def build_graph(options: MediaPipeOptions, still: bool) -> "SolutionBase":
    """The Holistic graph; complexity 1, the only one whose models are inside the wheel."""
    from mediapipe.python.solution_base import PacketDataType, SolutionBase

    scores = (_FACE_SCORE, *_HAND_SCORES)
    presence = "tensorstoposelandmarksandsegmentation__ThresholdingCalculator.threshold"
    return SolutionBase(
        graph_config=_graph_config(),
        side_inputs={
            "pose_model": without_output((_package() / _POSE_MODEL).read_bytes(), _SILHOUETTE, stand_in=_PRESENCE),
            "model_complexity": 1,
            "smooth_landmarks": not still,
            "enable_segmentation": False,
            "smooth_segmentation": False,
            "refine_face_landmarks": False,
            "use_prev_landmarks": not still,
        },
        calculator_params={
            f"{_POSE}posedetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": options.detection,
            f"{_POSE}poselandmarkbyroicpu__{presence}": options.tracking,
            **{_HAND.format(number) + "ThresholdingCalculator.threshold": options.hand for number in (1, 2)},
        },
        outputs=[*_LANDMARKS, *scores, *_HANDEDNESS],
        stream_type_hints={
            **dict.fromkeys(scores, PacketDataType.FLOAT),
            **dict.fromkeys(_HANDEDNESS, PacketDataType.PROTO),
        },
    )


def _graph_config() -> "CalculatorGraphConfig":
    """The Holistic graph with all its parts in the open, and the pose model as a side input instead of a file."""
    from mediapipe.framework.calculator_pb2 import CalculatorGraphConfig
    from mediapipe.python._framework_bindings.validated_graph_config import ValidatedGraphConfig
    from mediapipe.python.solutions import holistic  # noqa: F401 - registers the option types that the graph names

    whole = ValidatedGraphConfig()
    whole.initialize(binary_graph_path=str(_package() / _GRAPH))
    config = CalculatorGraphConfig.FromString(whole.binary_config)
    loader = next(node for node in config.node if node.name == _POSE_MODEL_LOADER)
    loader.input_side_packet[:] = ["MODEL_BLOB:pose_model"]
    config.input_side_packet.append("pose_model")
    return config


def _package() -> Path:
    """The folder that holds the package mediapipe: its graphs and models are named from there."""
    import mediapipe

    return Path(mediapipe.__file__).parents[1]


def enlarge(frame: np.ndarray, size: int) -> np.ndarray:
    """The frame with its shorter side at least `size`: small hands are found more often."""
    factor = size / min(frame.shape[:2])
    if factor <= 1:
        return np.ascontiguousarray(frame)
    return cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)


def wholebody(result: _Landmarks, width: int, height: int) -> Found:
    """MediaPipe's landmarks of one frame in COCO-WholeBody's order and pixels."""
    keypoints = np.full((sk.KEYPOINTS, 2), np.nan, np.float32)
    confidence = np.zeros(sk.KEYPOINTS, np.float32)
    own_side = np.full(2, 0.5, np.float32)
    scale = np.array([width, height], np.float32)
    if result.pose_landmarks is not None:
        pose = result.pose_landmarks.landmark
        for target, source in [*enumerate(POSE_LANDMARKS), *FOOT_LANDMARKS.items()]:
            keypoints[target] = (pose[source].x, pose[source].y) * scale
            confidence[target] = pose[source].visibility
    if result.face_landmarks is not None:
        keypoints[sk.FACE] = face_points(result.face_landmarks.landmark) * scale
        confidence[sk.FACE] = getattr(result, _FACE_SCORE)
    for side, hand in enumerate((sk.LEFT_HAND, sk.RIGHT_HAND)):
        landmarks = (result.left_hand_landmarks, result.right_hand_landmarks)[side]
        if landmarks is not None:
            keypoints[hand] = np.array([(point.x, point.y) for point in landmarks.landmark], np.float32) * scale
            confidence[hand] = getattr(result, _HAND_SCORES[side])
            guess = getattr(result, _HANDEDNESS[side]).classification[0]
            own_side[side] = guess.score if guess.label == _OWN_LABEL[side] else 1 - guess.score
    return keypoints, confidence.clip(0, 1), own_side


def face_points(mesh: Sequence[Landmark]) -> np.ndarray:
    """(68, 2) of 300-W from the face mesh's vertices (objects with x and y)."""
    first = np.array([(mesh[vertices[0]].x, mesh[vertices[0]].y) for vertices in FACE_VERTICES])
    last = np.array([(mesh[vertices[-1]].x, mesh[vertices[-1]].y) for vertices in FACE_VERTICES])
    return ((first + last) / 2).astype(np.float32)  # one vertex or two: exact for one

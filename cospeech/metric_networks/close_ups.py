"""Face and hands found in drawn pictures: where the pose asks for them, enlarged, by the detector's own networks.

A detector that looks at the whole picture first may miss a small face or take one hand for the other. Here MediaPipe's
face mesh and hand networks, the ones that Holistic ends with, look at once where the pose has the part, at a region
that they see enlarged to 192 and 224 pixels. Only where they begin is given: from the second look on the region follows
what they found themselves, so that the turn and size of what is asked never reach what is found.

Axes: T frames, P landmarks of one network.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from cospeech.harness.stderr_filter import without_notices
from cospeech.pose import skeleton as sk
from cospeech.pose.mediapipe import LandmarkList, enlarge, face_points
from cospeech.pose.track import PoseTrack

SIZE = 512
"""Frames of a shorter side are enlarged to it first, linearly, as `extract_poses` does by default: lips read from a
picture that was enlarged in another way are open by another amount."""
_LOOKS = 3
"""At the frame where a part is first looked for: the region settles on what it shows."""

_GRAPH = """
input_stream: "image"
input_stream: "region"
output_stream: "landmarks"
node {{
  calculator: "{network}" input_stream: "IMAGE:image" input_stream: "ROI:region" output_stream: "LANDMARKS:landmarks"
}}
"""
_FACE_NETWORK, _HAND_NETWORK = "FaceLandmarkCpu", "HandLandmarkCpu"
_EYE_CORNERS = 33, 263
"""Of the face mesh: the outer ones, that of the person's right eye first."""
_PALM = np.array([0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18])
"""Hand landmarks whose box is a hand's region, as MediaPipe follows hands."""


class Region(NamedTuple):
    """A square: its middle and side in widths of the picture, and its turn in radians, clockwise."""

    x: float
    y: float
    side: float
    turn: float


@dataclass(frozen=True)
class _Part:
    """begin: asked keypoints -> the first region; follow: landmarks -> the next; read: landmarks -> keypoints. All in
    widths of the picture."""

    network: str
    keypoints: np.ndarray
    begin: Callable[[np.ndarray], Region]
    follow: Callable[[np.ndarray], Region]
    read: Callable[[LandmarkList], np.ndarray]


class _Outputs(Protocol):
    landmarks: LandmarkList | None


class _Graph(Protocol):
    """MediaPipe's SolutionBase."""

    def process(self, streams: Mapping[str, object]) -> _Outputs: ...


class CloseUps:
    """Holds a graph a network; models are loaded once."""

    def __init__(self) -> None:
        self._graphs: dict[str, _Graph] = {}

    def find(self, frames: np.ndarray, asked: PoseTrack) -> PoseTrack:
        """Face and hands of one continuous shot, looked for where they are asked: confidence 1 where they are found.

        What lies further from where it is asked than the part is large is another face or hand and counts as not found;
        so does what the pose does not have. frames: (T, H, H, 3) uint8 RGB.
        """
        keypoints = np.full(asked.keypoints.shape, np.nan, np.float32)
        confidence = np.zeros(asked.confidence.shape, np.float32)
        pictures = [enlarge(frame, SIZE) for frame in frames]
        for part in _PARTS:
            landmarks: LandmarkList | None = None
            places, shown = asked.normalized[:, part.keypoints], np.all(asked.found[:, part.keypoints], axis=1)
            for t, picture in enumerate(pictures):
                if not shown[t]:
                    landmarks = None
                    continue
                for _ in range(_LOOKS if landmarks is None else 1):
                    region = part.begin(places[t]) if landmarks is None else part.follow(_array(landmarks))
                    landmarks = self._look(part.network, picture, region)
                points = None if landmarks is None else part.read(landmarks)
                if points is None or _astray(points, places[t]):
                    landmarks = None
                    continue
                keypoints[t, part.keypoints], confidence[t, part.keypoints] = points * asked.size[::-1], 1
        return PoseTrack(keypoints, confidence, asked.size)

    def _look(self, network: str, picture: np.ndarray, region: Region) -> LandmarkList | None:
        """Landmarks of what the region shows; None where it is no face, no hand."""
        from mediapipe.framework.formats.rect_pb2 import NormalizedRect

        x, y, side, turn = region
        rectangle = NormalizedRect(x_center=x, y_center=y, width=side, height=side, rotation=turn)
        streams = {"image": picture, "region": rectangle}
        if network in self._graphs:
            return self._graphs[network].process(streams).landmarks
        with without_notices():
            self._graphs[network] = _build(network)
            return self._graphs[network].process(streams).landmarks


def _build(network: str) -> _Graph:
    from google.protobuf import text_format
    from mediapipe.framework.calculator_pb2 import CalculatorGraphConfig
    from mediapipe.python.solution_base import SolutionBase
    from mediapipe.python.solutions import holistic  # noqa: F401 - registers the networks

    return SolutionBase(graph_config=text_format.Parse(_GRAPH.format(network=network), CalculatorGraphConfig()))


def _array(landmarks: LandmarkList) -> np.ndarray:
    return np.array([(point.x, point.y) for point in landmarks.landmark])


def _astray(points: np.ndarray, asked: np.ndarray) -> bool:
    size = float(np.ptp(asked, axis=0).max())
    return bool(np.linalg.norm(points - asked, axis=-1).mean() > size)


def _around(points_P2: np.ndarray, turn: float, scale: float, shift: float) -> Region:
    """The square about the box of points in axes turned by `turn`: its longer side times `scale`, its middle moved down
    those axes by `shift` of its height."""
    axes = np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    low, high = (extreme(points_P2 @ axes.T, axis=0) for extreme in (np.min, np.max))
    x, y = ((low + high) / 2 + (0, shift * (high - low)[1])) @ axes
    return Region(float(x), float(y), float((high - low).max() * scale), turn)


def _angle(vector: np.ndarray) -> float:
    return float(np.arctan2(vector[1], vector[0]))


def _face_asked(points: np.ndarray) -> Region:
    """The 68 points end at the brows: the region reaches above them."""
    eyes = points[sk.LEFT_EYE_RING[3] - sk.FACE[0]] - points[sk.RIGHT_EYE_RING[0] - sk.FACE[0]]
    return _around(points, _angle(eyes), 1.95, -0.12)


def _face_found(mesh: np.ndarray) -> Region:
    right, left = mesh[list(_EYE_CORNERS)]
    return _around(mesh, _angle(left - right), 1.5, 0.0)


def _hand(points: np.ndarray) -> Region:
    """Upright when the middle of the fingers' second joints stands above the wrist."""
    knuckles = ((points[6] + points[14]) / 2 + points[10]) / 2
    turn = _angle(knuckles - points[0]) + np.pi / 2
    return _around(points[_PALM], float((turn + np.pi) % (2 * np.pi) - np.pi), 2.0, -0.1)


def _read_face(landmarks: LandmarkList) -> np.ndarray:
    return face_points(landmarks.landmark)


_PARTS = (
    _Part(_FACE_NETWORK, sk.FACE, _face_asked, _face_found, _read_face),
    _Part(_HAND_NETWORK, sk.LEFT_HAND, _hand, _hand, _array),
    _Part(_HAND_NETWORK, sk.RIGHT_HAND, _hand, _hand, _array),
)

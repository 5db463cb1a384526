"""MediaPipe's expression coefficients: how far each of ARKit's blendshapes is put on, such as jawOpen or eyeBlinkLeft.

Axes: T frames, H W pixels, E = 52 coefficients.
"""

import zipfile
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from cospeech.harness.stderr_filter import without_notices
from cospeech.metrics.crops import cut, square_boxes
from cospeech.pose import skeleton as sk

COEFFICIENTS = 52
_ROOM, _SIDE = 2.2, 256
"""The face is cut out with room about it, in sizes of its box, and enlarged to so many pixels."""
_FRAME = 40_000
"""Microseconds between two frames, for the network's clock."""
_PART = "face_blendshapes.tflite"

_GRAPH = """
input_stream: "image"
output_stream: "blendshapes"
node {{
  calculator: "mediapipe.tasks.vision.face_landmarker.FaceLandmarkerGraph"
  input_stream: "IMAGE:image"
  output_stream: "BLENDSHAPES:blendshapes"
  options {{ [mediapipe.tasks.vision.face_landmarker.proto.FaceLandmarkerGraphOptions.ext] {{
    base_options {{ model_asset {{ file_name: "{file}" }} use_stream_mode: true }}
    face_detector_graph_options {{ min_detection_confidence: 0.3 num_faces: 1 }}
    face_landmarks_detector_graph_options {{ min_detection_confidence: 0.3 }}
    min_tracking_confidence: 0.5
  }} }}
}}
"""


class Blendshapes:
    """Google's face_landmarker.task."""

    def __init__(self, task: Path, key: str = "expression") -> None:
        if not task.is_file():
            raise ValueError(f"{key}: {task}: no such file; `cospeech measures fetch` brings it")
        if not zipfile.is_zipfile(task) or _PART not in zipfile.ZipFile(task).namelist():
            raise ValueError(f"{key}: {task} has no {_PART} inside: face_landmarker.task with blendshapes is needed")
        self._task = task
        self._one_at_a_time = Lock()  # notices are held back for the whole process

    def __call__(self, frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """Of one continuous shot: (T, H, H, 3) uint8, (T, 133, 2) pixels -> (T, 52) float64 in 0..1, NaN where no face
        is found. keypoints: where the face is looked for."""
        faces = cut(frames, square_boxes(keypoints[:, sk.FACE], _ROOM), _SIDE)
        with self._one_at_a_time, without_notices():
            graph = _Graph(self._task)
            return np.stack([graph.look(face) for face in faces])


class _Graph:
    """MediaPipe's own Python class of this task does not run with protobuf 6; the graph beneath it does."""

    def __init__(self, task: Path) -> None:
        from google.protobuf import text_format
        from mediapipe.framework.calculator_pb2 import CalculatorGraphConfig
        from mediapipe.python._framework_bindings.calculator_graph import CalculatorGraph
        from mediapipe.tasks.cc.vision.face_landmarker.proto import face_landmarker_graph_options_pb2  # noqa: F401

        config = text_format.Parse(_GRAPH.format(file=task.resolve()), CalculatorGraphConfig())
        self._graph, self._time, self._packet = CalculatorGraph(graph_config=config), 0, None
        self._graph.observe_output_stream("blendshapes", self._keep, True)
        self._graph.start_run({})

    def _keep(self, _: str, packet: Any) -> None:
        self._packet = packet

    def look(self, face: np.ndarray) -> np.ndarray:
        from mediapipe.python import packet_creator, packet_getter
        from mediapipe.python._framework_bindings.image_frame import ImageFormat

        self._packet, self._time = None, self._time + _FRAME
        picture = packet_creator.create_image(face, image_format=ImageFormat.SRGB).at(self._time)
        self._graph.add_packet_to_input_stream(stream="image", packet=picture)
        self._graph.wait_until_idle()
        if self._packet is None or self._packet.is_empty():
            return np.full(COEFFICIENTS, np.nan)
        return np.array([each.score for each in packet_getter.get_proto_list(self._packet)[0].classification])

"""Identity and expression on people of the embedded corpus, with the networks of `cospeech measures fetch`."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from cospeech.media import read_frames
from cospeech.metric_networks.blendshapes import Blendshapes
from cospeech.metric_networks.fetch import FACE_LANDMARKER, SFACE
from cospeech.metric_networks.sface import SFace
from cospeech.metrics.identity import expression_distance, identity_similarity
from cospeech.pose.detectors import build_detector

Shot = tuple[np.ndarray, np.ndarray]
"""frames, keypoints."""


def network(repository: Path, name: str) -> Path:
    path = repository / "models/measures" / name
    if not path.is_file():
        pytest.skip(f"{path} is absent: `cospeech measures fetch` brings it")
    return path


@pytest.fixture(scope="module")
def shots(repository: Path) -> dict[str, Shot]:
    detector = build_detector("mediapipe")
    frames = {name: read_frames(repository / f"data/demo/clips/{name}.mp4") for name in ("mei-3", "mei-1", "noor-1")}
    return {name: (clip[40:52], detector.detect_video(clip[40:52]).keypoints) for name, clip in frames.items()}


def test_sface_knows_people_apart(repository: Path, shots: dict[str, Shot]) -> None:
    sface = SFace(network(repository, SFACE))
    here, again, other = (sface(*shots[name]) for name in ("mei-3", "mei-1", "noor-1"))
    np.testing.assert_allclose(np.linalg.norm(here, axis=1), 1, rtol=1e-5)
    found = np.ones(12, bool)
    itself, same, different = (identity_similarity(here, each, found) for each in (here, again, other))
    assert itself == pytest.approx(1)
    assert same > different + 0.2  # type: ignore[operator]
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 3) for frame in shots["mei-3"][0]])
    assert identity_similarity(sface(blurred, shots["mei-3"][1]), here, found) < 0.9  # type: ignore[operator]


def test_expression_is_far_where_the_face_is_another_or_stands_still(repository: Path, shots: dict[str, Shot]) -> None:
    blendshapes = Blendshapes(network(repository, FACE_LANDMARKER))
    frames, keypoints = shots["mei-3"]
    real, found = blendshapes(frames, keypoints), np.ones(12, bool)
    assert real.shape == (12, 52)
    assert real.min() >= 0
    assert real.max() <= 1
    np.testing.assert_array_equal(real, blendshapes(frames, keypoints))
    still = blendshapes(np.repeat(frames[:1], 12, 0), np.repeat(keypoints[:1], 12, 0))
    other = blendshapes(*shots["noor-1"])
    noisy = np.clip(frames + np.random.default_rng(0).normal(0, 3, frames.shape), 0, 255).astype(np.uint8)
    near, frozen, away = (expression_distance(each, real, found)
                          for each in (blendshapes(noisy, keypoints), still, other))  # fmt: skip
    assert 0 < near < frozen < away  # type: ignore[operator]


def test_a_picture_without_a_face_has_no_expression(repository: Path, shots: dict[str, Shot]) -> None:
    frames, keypoints = shots["mei-3"]
    grey = np.full_like(frames[:2], 128)
    assert np.isnan(Blendshapes(network(repository, FACE_LANDMARKER))(grey, keypoints[:2])).all()


@pytest.mark.parametrize("load", [SFace, Blendshapes])
def test_what_is_no_network_is_an_error_for_people(load: type, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"key: .*absent: no such file; `cospeech measures fetch`"):
        load(tmp_path / "absent", "key")
    (tmp_path / "wrong.onnx").write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"key: .*wrong.onnx (is not SFace's|has no face_blendshapes)"):
        load(tmp_path / "wrong.onnx", "key")

"""The DWPose backend through the real rtmlib and onnxruntime, with models made here."""

from pathlib import Path

import numpy as np
import pytest

from cospeech.pose import skeleton as sk
from cospeech.pose.detectors import build_detector
from cospeech.pose.dwpose import DwposeOptions
from tests.cospeech.pose.tiny_onnx import brightest_point, person_detector


def bright(x: int, y: int, size: int = 128) -> np.ndarray:
    """(size, size, 3): a soft blob whose brightest pixel is (x, y)."""
    rows, columns = np.mgrid[:size, :size]
    blob = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 50)
    return np.repeat(blob[..., None], 3, axis=2).astype(np.uint8)


def options(folder: Path, boxes: list, scores: list) -> DwposeOptions:
    person_detector(folder / "people.onnx", boxes, scores)
    brightest_point(folder / "points.onnx")
    return DwposeOptions(folder / "people.onnx", folder / "points.onnx")


def test_points_come_back_in_pixels_of_the_frame(tmp_path: Path) -> None:
    detector = build_detector("dwpose", options(tmp_path, [(4, 4, 60, 60)], [0.9]))
    places = [(40, 70), (90, 30), (64, 100)]
    poses = detector.detect_video(np.stack([bright(*place) for place in places]))
    assert poses.size == (128, 128)
    expected = np.array(places)[:, None] + 0.5  # the middle of a pixel lies half a pixel from its corner
    assert np.abs(poses.keypoints - expected).max() < 1.5
    # the blob peaks far above the normalised 1; one hand goes, for both were put on the same place
    assert (poses.confidence[:, sk.FACE] == 1).all()


def test_the_largest_person_is_taken(tmp_path: Path) -> None:
    """Boxes of a 64 px input are doubled for a 128 px frame; the brighter blob lies in the smaller box."""
    detector = build_detector("dwpose", options(tmp_path, [(34, 0, 60, 26), (2, 2, 34, 62)], [0.95, 0.5]))
    frame = np.maximum(bright(110, 10), bright(40, 70) // 2)
    found = detector.detect_image(frame)
    assert found is not None
    assert np.abs(found.keypoints[0, 0] - (40.5, 70.5)).max() < 2


def test_nobody_is_nobody(tmp_path: Path) -> None:
    detector = build_detector("dwpose", options(tmp_path, [(4, 4, 60, 60)], [0.1]))
    assert detector.detect_image(bright(40, 70)) is None
    poses = detector.detect_video(np.stack([bright(40, 70)] * 2))
    assert (poses.confidence == 0).all()
    assert (poses.keypoints == 64).all()


def test_missing_weights_say_so_and_nothing_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"poses.dwpose.detector: .*absent.onnx: no such file"):
        build_detector("dwpose", DwposeOptions(tmp_path / "absent.onnx", tmp_path / "absent.onnx"))


def test_other_models_are_refused(tmp_path: Path) -> None:
    given = options(tmp_path, [(4, 4, 60, 60)], [0.9])
    given.pose.write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"poses.dwpose.pose: .*not a model"):
        build_detector("dwpose", given)
    brightest_point(given.pose, keypoints=17)
    with pytest.raises(ValueError, match="17 keypoints where 133"):
        build_detector("dwpose", given)


def test_backend_and_options_must_fit() -> None:
    with pytest.raises(ValueError, match="openpose"):
        build_detector("openpose")
    with pytest.raises(ValueError, match="dwpose does not take NoneType"):
        build_detector("dwpose")

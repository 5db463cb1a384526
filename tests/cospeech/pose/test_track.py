from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cospeech.harness.files import file_digest
from cospeech.pose.track import PoseTrack, join_tracks
from cospeech.pose.track_file import load_track, save_track


def track(frames: int = 4, size: tuple[int, int] = (256, 256)) -> PoseTrack:
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 1, (frames, 133, 2)) * size[::-1]
    return PoseTrack(keypoints.astype(np.float32), rng.uniform(0, 1, (frames, 133)).astype(np.float32), size)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"\(3, 133, 2\) and \(2, 133\)"):
        PoseTrack(np.zeros((3, 133, 2)), np.zeros((2, 133)), (8, 8))
    with pytest.raises(ValueError, match=r"\(133, 2\) and \(133,\)"):
        PoseTrack(np.zeros((133, 2)), np.zeros(133), (8, 8))


def test_normalized_is_of_the_width_and_of_the_height() -> None:
    wide = PoseTrack(np.array([[[320, 60]]], np.float32), np.ones((1, 1), np.float32), (240, 640))
    assert wide.normalized.tolist() == [[[0.5, 0.25]]]
    assert wide.normalized.dtype == np.float32
    assert wide.resized((120, 160)).keypoints.tolist() == [[[80, 30]]]


def test_resizing_back_and_forth_changes_nothing_but_pixels() -> None:
    small = track().resized((64, 64))
    assert (small.size, len(small)) == ((64, 64), 4)
    np.testing.assert_array_equal(small.normalized, track().normalized)
    np.testing.assert_array_equal(small.resized((256, 256)).keypoints, track().keypoints)


def test_found_is_less_than_visible() -> None:
    unsure = PoseTrack(np.zeros((1, 3, 2)), np.array([[0, 0.29, 0.3]]), (8, 8))
    assert unsure.found.tolist() == [[False, True, True]]
    assert unsure.visible.tolist() == [[False, False, True]]


def test_parts_in_time_and_of_the_body() -> None:
    whole = track()
    assert (whole[1:3].keypoints == whole.keypoints[1:3]).all()
    assert (whole[[0, 0]].confidence == whole.confidence[:1]).all()
    assert len(whole[[]]) == 0
    assert whole.points(np.arange(5, 11)).keypoints.shape == (4, 6, 2)
    joined = join_tracks([whole[:1], whole[1:]])
    assert (joined.keypoints == whole.keypoints).all()
    with pytest.raises(ValueError, match="64x64, 256x256"):
        join_tracks([whole, whole.resized((64, 64))])


def test_points_that_count_as_not_found() -> None:
    without = track().without([3])
    assert not without.found[:, 3].any()
    assert (np.delete(without.confidence, 3, 1) == np.delete(track().confidence, 3, 1)).all()


def test_file_round_trip_and_equal_bytes(tmp_path: Path) -> None:
    saved = track()
    for name in "ab":
        save_track(tmp_path / name, saved, "mediapipe")
    loaded = load_track(tmp_path / "a")
    np.testing.assert_array_equal(loaded.keypoints, saved.keypoints)
    np.testing.assert_array_equal(loaded.confidence, saved.confidence)
    assert loaded.size == (256, 256)
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")


def test_a_file_holds_finite_points_of_a_square(tmp_path: Path) -> None:
    keypoints = track().keypoints.copy()
    keypoints[1, 5, 0] = np.nan
    for wrong in (replace(track(), keypoints=keypoints), track(size=(256, 128))):
        with pytest.raises(AssertionError):
            save_track(tmp_path / "a", wrong, "mediapipe")

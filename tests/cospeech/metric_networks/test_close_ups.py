"""Faces and hands found close up, in real pictures of the embedded corpus and in spoilt ones."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from cospeech.media import read_frames
from cospeech.metric_networks.close_ups import CloseUps
from cospeech.metrics.control import QUANTITIES, Control, control
from cospeech.pose import skeleton as sk
from cospeech.pose.detectors import build_detector
from cospeech.pose.track import PoseTrack

FINE = np.r_[sk.FACE, sk.HANDS]


@dataclass
class Scene:
    frames: np.ndarray
    asked: PoseTrack
    close_ups: CloseUps

    def controls(self, frames: np.ndarray) -> dict[str, Control]:
        found = self.close_ups.find(frames, self.asked)
        return {each.key: control(each, found, self.asked) for each in QUANTITIES}


@pytest.fixture(scope="module")
def scene(repository: Path) -> Scene:
    frames = read_frames(repository / "data/demo/clips/noor-1.mp4")[40:72]
    return Scene(frames, build_detector("mediapipe").detect_video(frames), CloseUps())


def test_what_is_found_in_the_real_picture_is_what_was_asked(scene: Scene) -> None:
    """The most that a drawn picture can reach."""
    found = {key: each for key, each in scene.controls(scene.frames).items() if each.reason is None}
    assert {"mouth_opening", "mouth_width", "head_yaw", "middle_tip", "little_bend"} <= found.keys()
    for key, each in found.items():
        assert each.slope == pytest.approx(1, abs=0.15), key
        assert each.correlation > 0.9, key  # type: ignore[operator]
    assert found["mouth_opening"].correlation > 0.97  # type: ignore[operator]


def test_a_still_picture_does_nothing_that_is_asked(scene: Scene) -> None:
    still = np.repeat(scene.frames[:1], len(scene.frames), 0)
    for key, each in scene.controls(still).items():
        if each.reason is None:
            assert each.slope == pytest.approx(0, abs=0.1), key


def test_hands_blurred_away_are_not_found_and_do_nothing(scene: Scene) -> None:
    blurred = scene.frames.copy()
    for frame, points in zip(blurred, scene.asked.keypoints, strict=True):
        for hand in (sk.LEFT_HAND, sk.RIGHT_HAND):
            (left, top), (right, bottom) = points[hand].min(0).astype(int) - 8, points[hand].max(0).astype(int) + 8
            frame[top:bottom, left:right] = cv2.GaussianBlur(frame, (0, 0), 12)[top:bottom, left:right]
    confidence = scene.close_ups.find(blurred, scene.asked).confidence
    assert confidence[:, sk.HANDS].mean() < 0.5
    assert confidence[:, sk.FACE].all()
    controls = scene.controls(blurred)
    assert controls["middle_tip"].slope < 0.5  # type: ignore[operator]
    assert controls["mouth_opening"].slope > 0.85  # type: ignore[operator]


def test_keypoints_are_where_the_picture_shows_them(scene: Scene) -> None:
    few = slice(0, 3)
    asked, moved = scene.asked[few], np.roll(scene.frames[few], (6, -4), (1, 2))
    here, there = (scene.close_ups.find(each, asked) for each in (scene.frames[few], moved))
    for found in (here, there):
        assert found.found[:, FINE].all()
        assert not found.found[:, sk.BODY].any()
    assert np.isnan(here.keypoints[:, sk.BODY]).all()
    assert np.abs(here.keypoints - asked.keypoints)[:, FINE].mean() < 1
    np.testing.assert_allclose((there.keypoints - here.keypoints)[:, FINE].mean((0, 1)), (-4, 6), atol=0.4)


def test_what_the_pose_does_not_have_is_not_looked_for(scene: Scene) -> None:
    found = scene.close_ups.find(scene.frames[:2], scene.asked[:2].without(sk.LEFT_HAND)).found
    assert not found[:, sk.LEFT_HAND].any()
    assert found[:, sk.RIGHT_HAND].all()


def test_clips_do_not_know_of_each_other(scene: Scene) -> None:
    frames, asked = scene.frames[:2], scene.asked[:2]
    first = scene.close_ups.find(frames, asked)
    scene.close_ups.find(scene.frames[9:11], asked)
    for other in (scene.close_ups.find(frames, asked), CloseUps().find(frames, asked)):
        np.testing.assert_array_equal(first.keypoints, other.keypoints)

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from cospeech.config import load_params
from cospeech.curation.visual import background_mask, camera_motion, cut, second_face
from cospeech.media import iter_constant_rate, read_frames
from tests.cospeech.curation.made import good_poses


@pytest.fixture(scope="module")
def two_people(repository: Path) -> tuple[np.ndarray, np.ndarray]:
    """(20, 256, 256, 3) of two speakers of the embedded corpus."""
    clips = [next((repository / "data/demo/clips").glob(f"{name}-1.mp4")) for name in ("adam", "diego")]
    return read_frames(clips[0])[:20], read_frames(clips[1])[:20]


def test_one_person_is_one_face(two_people: tuple[np.ndarray, np.ndarray]) -> None:
    assert second_face(two_people[0]) == 0


def test_a_second_person_is_found(two_people: tuple[np.ndarray, np.ndarray]) -> None:
    beside = np.concatenate([clip[:, :, 64:192] for clip in two_people], axis=2)
    assert second_face(beside) == 1
    half = np.concatenate([two_people[0][:10], beside[:10]])
    assert second_face(half) == pytest.approx(0.5)


@pytest.fixture(scope="module")
def threshold(repository: Path) -> float:
    return load_params(repository / "params.yaml").curate.cut


@pytest.fixture(scope="module")
def gestures(repository: Path) -> np.ndarray:
    """The clip of the embedded corpus with the fastest hands."""
    return read_frames(repository / "data/demo/clips/adam-2.mp4")


def test_a_cut_stands_out_from_gestures_and_from_light(
    two_people: tuple[np.ndarray, np.ndarray], threshold: float
) -> None:
    one, other = two_people
    assert cut(one, 25) < threshold
    assert cut(np.concatenate([one, other]), 25) > 2 * threshold
    darker = np.concatenate([one[:10], (one[10:] * 0.5).astype(np.uint8)])
    assert cut(darker, 25) < threshold
    assert cut(one[:1], 25) == 0


def test_a_jump_cut_stands_out(gestures: np.ndarray, repository: Path, threshold: float) -> None:
    taken_out = np.concatenate([gestures[:30], gestures[60:]])
    assert cut(taken_out, 25) > threshold
    other_take = read_frames(repository / "data/demo/clips/adam-1.mp4")[60:90]
    assert cut(np.concatenate([gestures[:60], other_take]), 25) > threshold


def test_a_picture_that_flashes_up_is_two_cuts(two_people: tuple[np.ndarray, np.ndarray], threshold: float) -> None:
    one, other = (people.copy() for people in two_people)
    one[10] = other[10]
    assert cut(one, 25) > threshold


def test_fast_motion_and_uneven_frames_are_no_cut(gestures: np.ndarray, threshold: float) -> None:
    assert cut(gestures[::2], 25) < threshold
    assert cut(np.repeat(gestures[::2], 2, axis=0), 25) < threshold  # 12.5 frames a second, repeated
    slow = np.arange(len(gestures)) * 15 // 25 * 25 // 15
    assert cut(gestures[slow], 25) < threshold  # 15
    assert cut(np.delete(gestures, np.arange(5, len(gestures), 11), axis=0), 25) < threshold  # some are missing


def test_the_jump_cut_of_a_real_clip_is_found(real_clip_30fps: Path, threshold: float) -> None:
    """At 9 s the man sits another way from one frame to the next; until then it is one take."""
    frames = [cv2.resize(frame[420:1500], (256, 256), interpolation=cv2.INTER_AREA)
              for frame in islice(iter_constant_rate(real_clip_30fps, 25), 250)]  # fmt: skip
    assert cut(np.stack(frames[:220]), 25) < threshold
    assert cut(np.stack(frames), 25) > 2 * threshold


def scene(shift: float, frames: int = 25) -> np.ndarray:
    """A textured wall that moves by `shift` pixels a frame behind a person who stands still."""
    texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (256, 512, 3), np.uint8), (0, 0), 2)
    wide = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    out = []
    for index in range(frames):
        move = np.array([[1, 0, -64 - shift * index], [0, 1, 0]], np.float32)
        frame = cv2.warpAffine(wide, move, (256, 256))
        cv2.ellipse(frame, (128, 190), (60, 140), 0, 0, 360, (90, 60, 40), -1)
        out.append(frame)
    return np.stack(out)


@pytest.mark.parametrize("shift", [0.0, 0.4, 2.0])
def test_the_speed_of_the_background_is_measured(shift: float) -> None:
    speed = camera_motion(scene(shift), good_poses(25), 25)
    assert speed == pytest.approx(shift * 25 / 256, abs=0.002)


def test_a_person_who_moves_is_no_camera() -> None:
    frames = scene(0.0)
    for index, frame in enumerate(frames):
        cv2.circle(frame, (128 + 2 * index, 200), 20, (250, 250, 250), -1)
    assert camera_motion(frames, good_poses(25), 25) == pytest.approx(0, abs=0.002)


def test_a_plain_wall_tells_nothing(two_people: tuple[np.ndarray, np.ndarray]) -> None:
    noisy = 128 + np.random.default_rng(0).integers(-2, 3, (25, 256, 256, 3))
    assert camera_motion(noisy.astype(np.uint8), good_poses(25), 25) is None


def test_the_mask_leaves_out_the_person() -> None:
    mask = background_mask(good_poses(2), (0, 1), 256)
    assert mask[60, 128] == mask[240, 128] == mask[25, 128] == 0  # face, lap, hair
    assert mask[10, 10] == mask[10, 245] == mask[100, 5] == 255

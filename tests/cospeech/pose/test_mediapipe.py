"""MediaPipe on a real person: sides, mouth, parity with the library's class, independence of size and of history."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cospeech.pose import skeleton as sk
from cospeech.pose.mediapipe import FACE_VERTICES, MediaPipeDetector, MediaPipeOptions, enlarge, face_points
from cospeech.pose.track import PoseTrack


@pytest.fixture(scope="module")
def detector():  # type: ignore[no-untyped-def]
    detector = MediaPipeDetector(MediaPipeOptions())
    yield detector
    detector.close()


@pytest.fixture(scope="module")
def poses(detector: MediaPipeDetector, person: np.ndarray) -> PoseTrack:
    return detector.detect_video(person)


def test_everything_of_the_person_is_found(poses: PoseTrack) -> None:
    assert poses.size == (256, 256)
    for part in (sk.FACE, sk.LEFT_HAND, sk.RIGHT_HAND):
        assert (poses.confidence[:, part].min(axis=1) > 0.9).mean() > 0.9
    assert poses.confidence.max() <= 1
    assert (poses.confidence[:, [18, 21]] == 0).all()  # small toes: MediaPipe has none


def test_left_is_the_persons_left(poses: PoseTrack) -> None:
    """He faces the camera: his left is on our right."""
    x = poses.keypoints[..., 0].mean(axis=0)
    for left, right in (
        (sk.LEFT_SHOULDER, sk.RIGHT_SHOULDER),
        (sk.LEFT_EYE, sk.RIGHT_EYE),
        (sk.MOUTH_LEFT, sk.MOUTH_RIGHT),
    ):
        assert x[left] > x[right]
    assert x[sk.LEFT_HAND].mean() > x[sk.RIGHT_HAND].mean()
    assert x[sk.LEFT_BROW].mean() > x[sk.RIGHT_BROW].mean()
    assert x[sk.JAW[-1]] > x[sk.JAW[0]]
    for hand, wrist in ((sk.LEFT_HAND, sk.LEFT_WRIST), (sk.RIGHT_HAND, sk.RIGHT_WRIST)):
        assert np.linalg.norm(poses.keypoints[:, hand[0]] - poses.keypoints[:, wrist], axis=-1).mean() < 20


def test_a_mirrored_picture_gives_mirrored_points(detector: MediaPipeDetector, person: np.ndarray) -> None:
    plain, flipped = detector.detect_image(person[0]), detector.detect_image(np.ascontiguousarray(person[0][:, ::-1]))
    assert plain is not None
    assert flipped is not None
    back = flipped.keypoints[0, sk.MIRROR] * (-1, 1) + (256, 0)
    seen = (plain.confidence[0] > 0.5) & (flipped.confidence[0, sk.MIRROR] > 0.5)
    distance = np.linalg.norm(plain.keypoints[0] - back, axis=-1)
    assert seen[sk.HANDS].all()
    assert np.median(distance[seen]) < 3
    assert distance[sk.FACE].max() < 6


def test_the_face_points_lie_in_the_order_of_a_face(poses: PoseTrack) -> None:
    points = poses.keypoints[0]
    y = points[:, 1]
    assert y[sk.LEFT_BROW].mean() < y[sk.LEFT_EYE_RING].mean() < y[sk.NOSE_BASE].mean() < y[sk.MOUTH].mean() < y[31]
    assert y[sk.OUTER_LIPS].max() >= y[sk.INNER_LIPS].max()
    inside = cv2.pointPolygonTest
    outline = points[sk.JAW].reshape(-1, 1, 2)
    assert all(inside(outline, tuple(map(float, points[index])), False) > 0 for index in sk.MOUTH)
    ring = points[sk.OUTER_LIPS].reshape(-1, 1, 2)
    assert all(inside(ring, tuple(map(float, points[index])), True) > -1 for index in sk.INNER_LIPS)


def test_face_table_is_symmetric() -> None:
    """On a mesh that is symmetric, the 68 points are: mirrored vertices have mirrored x in MediaPipe's own geometry."""
    from mediapipe.python.solutions.face_mesh_connections import FACEMESH_CONTOURS

    used = {vertex for vertices in FACE_VERTICES for vertex in vertices}
    contours = {vertex for edge in FACEMESH_CONTOURS for vertex in edge}
    assert len(FACE_VERTICES) == 68
    assert {61, 291, 13, 14, 33, 263, 152} <= used & contours
    # opening the mouth moves vertex 14 and the lower lip with it, and nothing above
    mesh = [SimpleNamespace(x=float(index), y=0.0) for index in range(468)]
    shut = face_points(mesh)
    for vertex in (14, 87, 317, 17, 84, 314):
        mesh[vertex].y = 1.0
    moved = np.flatnonzero((face_points(mesh) != shut).any(axis=1)) + 23
    assert set(moved) == {80, 79, 81, 88, 89, 90}
    assert sk.LOWER_LIP_INNER in moved
    assert sk.UPPER_LIP_INNER not in moved


def test_coordinates_are_those_of_the_plain_library(detector: MediaPipeDetector, person: np.ndarray) -> None:
    import mediapipe as mp

    poses = detector.detect_video(person)
    with mp.solutions.holistic.Holistic() as holistic:
        for frame, keypoints in zip(person, poses.keypoints, strict=True):
            result = holistic.process(enlarge(frame, 512))
            wrist, tip = result.pose_landmarks.landmark[15], result.right_hand_landmarks.landmark[8]
            chin = result.face_landmarks.landmark[152]
            assert (keypoints[sk.LEFT_WRIST] == np.float32([wrist.x, wrist.y]) * 256).all()
            assert (keypoints[sk.RIGHT_HAND[8]] == np.float32([tip.x, tip.y]) * 256).all()
            assert (keypoints[31] == np.float32([chin.x, chin.y]) * 256).all()


def test_a_clip_is_independent_of_the_clip_before(
    detector: MediaPipeDetector, person: np.ndarray, poses: PoseTrack
) -> None:
    detector.detect_video(person[::-1])
    again = detector.detect_video(person)
    fresh = MediaPipeDetector(MediaPipeOptions()).detect_video(person)
    for other in (again, fresh):
        assert (other.keypoints == poses.keypoints).all()
        assert (other.confidence == poses.confidence).all()


def test_size_of_the_frames_does_not_matter(detector: MediaPipeDetector, person: np.ndarray, poses: PoseTrack) -> None:
    half = np.stack([cv2.resize(frame, (192, 192), interpolation=cv2.INTER_AREA) for frame in person[:8]])
    scaled = detector.detect_video(half).keypoints * (256 / 192)
    assert np.median(np.linalg.norm(scaled - poses.keypoints[:8], axis=-1)) < 2


def test_nobody(detector: MediaPipeDetector) -> None:
    empty = np.full((2, 128, 128, 3), 90, np.uint8)
    poses = detector.detect_video(empty)
    assert not poses.found.any()
    assert np.isfinite(poses.keypoints).all()
    assert detector.detect_image(empty[0]) is None


def test_frames_must_be_square_and_there(detector: MediaPipeDetector) -> None:
    with pytest.raises(ValueError, match=r"square frames .*\(2, 64, 32, 3\)"):
        detector.detect_video(np.zeros((2, 64, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="one or more"):
        detector.detect_video(np.zeros((0, 64, 64, 3), np.uint8))


def test_a_tall_picture_has_its_own_pixels(detector: MediaPipeDetector, person: np.ndarray) -> None:
    square = detector.detect_image(person[0])
    tall = detector.detect_image(np.pad(person[0], ((64, 0), (0, 0), (0, 0))))
    assert square is not None
    assert tall is not None
    assert tall.size == (320, 256)
    assert np.median(np.abs(tall.keypoints - (0, 64) - square.keypoints)[square.confidence > 0.5]) < 3

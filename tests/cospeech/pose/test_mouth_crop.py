import numpy as np
import pytest

from cospeech.pose.mouth_crop import HEIGHT, WIDTH, mouth_crops


def face(centre: tuple[float, float], eye_distance: float, angle: float, frames: int = 12) -> np.ndarray:
    """Keypoints of a face: level in its own frame, then turned by `angle` about the mouth."""
    points = np.zeros((133, 2))
    points[59:65] = [-eye_distance / 2, -eye_distance]
    points[65:71] = [eye_distance / 2, -eye_distance]
    cos, sin = np.cos(angle), np.sin(angle)
    turned = points @ np.array([[cos, sin], [-sin, cos]]) + centre
    return np.repeat(turned[None], frames, 0).astype(np.float32)


def draw(centre: tuple[float, float], eye_distance: float, angle: float, size: int = 256) -> np.ndarray:
    """Red left of the mouth, green right of it, blue below, in the face's own frame."""
    y, x = np.mgrid[0:size, 0:size] + 0.5
    cos, sin = np.cos(-angle), np.sin(-angle)
    u = (cos * (x - centre[0]) - sin * (y - centre[1])) / eye_distance
    v = (sin * (x - centre[0]) + cos * (y - centre[1])) / eye_distance
    image = np.zeros((size, size, 3), np.uint8)
    image[(np.abs(v) < 0.15) & (u < -0.2)] = (255, 0, 0)
    image[(np.abs(v) < 0.15) & (u > 0.2)] = (0, 255, 0)
    image[v > 0.3] = (0, 0, 255)
    return image


@pytest.mark.parametrize(("eye_distance", "angle"), [(40.0, 0.0), (25.0, 0.4), (60.0, -0.5)])
def test_crop_is_the_same_whatever_scale_and_turn(eye_distance: float, angle: float) -> None:
    centre = (130.0, 120.0)
    frames = np.repeat(draw(centre, eye_distance, angle)[None], 12, 0)
    crop = mouth_crops(frames, face(centre, eye_distance, angle))[6].astype(int)
    upright = mouth_crops(np.repeat(draw(centre, 40.0, 0.0)[None], 12, 0), face(centre, 40.0, 0.0))[6].astype(int)
    assert crop.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(crop - upright).mean() < 12
    assert crop[HEIGHT // 2, 10, 0] > 200
    assert crop[HEIGHT // 2, WIDTH - 10, 1] > 200
    assert crop[HEIGHT - 3, WIDTH // 2, 2] > 200


def test_crop_does_not_follow_a_single_opening() -> None:
    keypoints = face((128.0, 128.0), 40.0, 0.0, frames=20)
    keypoints[10, 71:91, 1] += 9
    frames = np.repeat(draw((128.0, 128.0), 40.0, 0.0)[None], 20, 0)
    crops = mouth_crops(frames, keypoints).astype(int)
    assert np.abs(crops[10] - crops[0]).mean() < 12

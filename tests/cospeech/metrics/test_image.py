import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torchmetrics.functional.image import structural_similarity_index_measure

from cospeech.metrics.image import flicker, psnr, sharpness, ssim


@pytest.fixture
def frames() -> np.ndarray:
    """(6, 64, 64, 3): a textured picture that drifts to the right by a pixel a frame."""
    noise = np.random.default_rng(0).random((64, 80, 3))
    picture = gaussian_filter(noise, (3, 3, 0))
    picture = (picture - picture.min()) / (picture.max() - picture.min()) * 255
    return np.stack([picture[:, 10 - t : 74 - t] for t in range(6)]).astype(np.uint8)


def test_psnr_of_a_known_error(frames: np.ndarray) -> None:
    half = (frames // 2).astype(np.uint8)
    np.testing.assert_allclose(psnr(half + 10, half), 20 * np.log10(255 / 10), rtol=1e-6)


def test_psnr_agrees_with_opencv(frames: np.ndarray) -> None:
    noisy = (frames + np.random.default_rng(1).integers(0, 9, frames.shape)).clip(0, 255).astype(np.uint8)
    expected = [cv2.PSNR(made, true) for made, true in zip(noisy, frames, strict=True)]
    np.testing.assert_allclose(psnr(noisy, frames), expected, rtol=1e-4)


def slow_ssim(made: np.ndarray, true: np.ndarray) -> float:
    """By scipy, in float64, the picture mirrored at its border."""

    def mean(x: np.ndarray) -> np.ndarray:
        return gaussian_filter(x, (1.5, 1.5, 0), truncate=5 / 1.5, mode="mirror")

    x, y = made.astype(np.float64), true.astype(np.float64)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = mean(x), mean(y)
    sxx, syy, sxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    score = (2 * mx * my + c1) * (2 * sxy + c2) / ((mx**2 + my**2 + c1) * (sxx + syy + c2))
    return float(score.mean())


def test_ssim_agrees_with_scipy_and_torchmetrics(frames: np.ndarray) -> None:
    noisy = (frames + np.random.default_rng(1).integers(0, 40, frames.shape)).clip(0, 255).astype(np.uint8)
    expected = [slow_ssim(made, true) for made, true in zip(noisy, frames, strict=True)]
    np.testing.assert_allclose(ssim(noisy, frames), expected, atol=1e-4)
    made, real = (torch.from_numpy(each).permute(0, 3, 1, 2).float() for each in (noisy, frames))
    published = structural_similarity_index_measure(made, real, data_range=255.0, reduction="none")
    np.testing.assert_allclose(ssim(noisy, frames), published, atol=1e-4)
    np.testing.assert_allclose(ssim(frames, frames), 1, atol=1e-6)


def test_more_blur_is_less_like_the_truth(frames: np.ndarray) -> None:
    blurred = [gaussian_filter(frames, (0, s, s, 0)) for s in (1, 2, 4)]
    for measure in (psnr, ssim):
        scores = [measure(made, frames).mean() for made in blurred]
        assert scores == sorted(scores, reverse=True)


def test_flicker_ignores_motion_and_sees_flashes(frames: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    flashing = (frames * rng.uniform(0.8, 1, (6, 1, 1, 1))).astype(np.uint8)
    plain_difference = np.abs(np.diff(frames.astype(float), axis=0)).mean() / 255
    assert flicker(np.repeat(frames[:1], 6, 0)) == pytest.approx(0, abs=1e-3)
    assert flicker(frames) < 0.5 * plain_difference
    assert flicker(flashing) > 3 * flicker(frames)
    assert flicker(frames[:1]) is None


def test_sharpness_falls_with_blur_and_rises_with_noise(frames: np.ndarray) -> None:
    blurred = [gaussian_filter(frames, (0, s, s, 0)) for s in (1, 2, 4)]
    noisy = (frames + np.random.default_rng(1).integers(0, 40, frames.shape)).clip(0, 255).astype(np.uint8)
    scores = [sharpness(made, frames) for made in (*blurred[::-1], frames, noisy)]
    assert scores == sorted(scores)  # type: ignore[type-var]
    assert scores[3] == pytest.approx(1)
    board = np.full((2, 40, 40, 3), 20, np.uint8)
    board[:, 10:30, 15:25] = 60
    assert sharpness(board, 3 * board) == pytest.approx(1 / 9)  # a third of the contrast
    assert sharpness(frames, np.full_like(frames, 7)) is None


def test_shapes_must_agree(frames: np.ndarray) -> None:
    for measure in (psnr, ssim):
        with pytest.raises(ValueError, match=r"\(5, 64, 64, 3\).*\(6, 64, 64, 3\)"):
            measure(frames[:5], frames)
    with pytest.raises(ValueError, match=r"\(60, 64, 3\).*\(64, 64, 3\)"):
        sharpness(frames[:, :60], frames)

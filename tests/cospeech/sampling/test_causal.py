"""The student looks at no frame to come: neither its layers nor what its conditions and its attention are made of."""

from dataclasses import replace

import pytest
import torch

from cospeech.attention.plan import MaskConfig
from cospeech.datasets.attention_plans import plan_windows
from cospeech.datasets.windows import ClipTensors, Window
from cospeech.models.autoencoders.codec import Codec
from cospeech.models.transformers.denoiser import Denoiser
from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack
from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.euler import sample_windows
from cospeech.training.trainer import seeded
from tests.stages.tiny_project import FRAMES, SIZE, film

CELLS, CHANGED = SIZE // 8, 8
"""Frames CHANGED and later are changed."""


@pytest.fixture(scope="module")
def student() -> Denoiser:
    with seeded(0):
        student = Denoiser(4, 3, width=24, layers=2, heads=2, ffn_ratio=2, conv_width=8, reference_warp=True)
        for layer in (student.conv_last, student.transformer.proj_out):
            torch.nn.init.normal_(layer.weight, std=0.2)
    return student.eval()


@pytest.fixture(scope="module")
def clip() -> ClipTensors:
    """Shoulders out of sight in some of the first frames, so that what stands in for them is tried too."""
    with seeded(1):
        codec = Codec(latent_channels=4, encoder_width=4, encoder_blocks=0, decoder_width=4, decoder_blocks=0,
                      detail_width=4, detail_blocks=0).eval()  # fmt: skip
        codec.fit_patches(torch.rand(4, 3, SIZE, SIZE) * 2 - 1)
    generator = torch.Generator().manual_seed(2)
    _, track = film(0)
    track.confidence[3:5, sk.SHOULDERS] = 0
    latents = torch.randn(FRAMES, 4, CELLS, CELLS, generator=generator)
    pose = torch.randn(FRAMES, 3, CELLS, CELLS, generator=generator)
    return ClipTensors("a", "x", latents, pose, track, latents[:, 0], codec)


def noise() -> torch.Tensor:
    return torch.randn(1, 4, FRAMES, CELLS, CELLS, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def drawn(
    student: Denoiser, clip: ClipTensors, noise: torch.Tensor, steps: int, window: int, mask: MaskConfig
) -> torch.Tensor:
    config = SamplingConfig(steps=steps, shift=2.0, window=window, overlap=window // 3)
    return sample_windows(
        student, noise, clip.condition(slice(0, FRAMES), 0), config,
        lambda start, stop: plan_windows([Window(clip, start, stop, 0)], student.config.patch, mask),
    )  # fmt: skip


def with_other_poses(clip: ClipTensors) -> ClipTensors:
    """From CHANGED on another skeleton, closer to the camera, and one hand out of sight."""
    keypoints, confidence, pose = clip.track.keypoints.copy(), clip.track.confidence.copy(), clip.pose_TPhw.clone()
    keypoints[CHANGED:] = SIZE / 2 + 1.4 * (keypoints[CHANGED:] - SIZE / 2)
    keypoints[CHANGED:, sk.HANDS] += 0.1 * SIZE
    confidence[CHANGED:, sk.LEFT_HAND] = 0
    pose[CHANGED:] += 1
    return replace(clip, track=PoseTrack(keypoints, confidence, clip.track.size), pose_TPhw=pose)


def with_other_noise(noise: torch.Tensor) -> torch.Tensor:
    changed = noise.clone()
    changed[:, :, CHANGED:] += 1
    return changed


@pytest.mark.parametrize("window", [FRAMES, 6], ids=["one window", "windows that overlap"])
@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("parts", [("global", "local"), ("global",), ("local",)], ids="+".join)
def test_later_poses_and_noise_leave_earlier_frames_as_they_are(
    student: Denoiser, clip: ClipTensors, parts: tuple, steps: int, window: int
) -> None:
    mask = MaskConfig(parts, past_frames=2)
    before = drawn(student, clip, noise(), steps, window, mask)
    for after in (
        drawn(student, with_other_poses(clip), noise(), steps, window, mask),
        drawn(student, clip, with_other_noise(noise()), steps, window, mask),
    ):
        torch.testing.assert_close(after[:, :, :CHANGED], before[:, :, :CHANGED], atol=1e-5, rtol=1e-5)
        assert (after[:, :, CHANGED:] - before[:, :, CHANGED:]).abs().max() > 0.01


def test_earlier_frames_do_matter_to_later_ones(student: Denoiser, clip: ClipTensors) -> None:
    """So that the test above is not passed by frames that never look at each other."""
    mask = MaskConfig(("global", "local"), past_frames=2)
    changed = noise()
    changed[:, :, :CHANGED] += 1
    one, other = (drawn(student, clip, each, 2, FRAMES, mask) for each in (noise(), changed))
    assert (one - other)[:, :, CHANGED:].abs().max() > 1e-4


def test_the_dense_teacher_does_look_ahead(student: Denoiser, clip: ClipTensors) -> None:
    one, other = (
        drawn(student, clip, each, 1, FRAMES, MaskConfig((), 2)) for each in (noise(), with_other_noise(noise()))
    )
    assert (one - other)[:, :, :CHANGED].abs().max() > 1e-4

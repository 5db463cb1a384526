"""A video drawn as it comes equals the video drawn in one window, and memory stays bounded."""

import copy

import numpy as np
import pytest
import torch

from cospeech.attention.kv_cache import Memory, StreamPlanner
from cospeech.attention.plan import plan_attention
from cospeech.models.transformers.denoiser import Condition, Denoiser
from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack
from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.euler import sample
from cospeech.sampling.folded_student import LeanStudent
from cospeech.sampling.kv_stream import StudentStream
from cospeech.sampling.quantization import Floating
from tests.helpers.keypoints import unit_track
from tests.helpers.meta import META, stand_in

FRAMES, CELLS, STEPS, SHIFT = 9, 16, 2, 2.0


def poses(frames: int, seed: int = 0) -> PoseTrack:
    """A person whose parts drift about, and who now and then hides a hand or the shoulders."""
    rng = np.random.default_rng(seed)
    base = rng.random((sk.KEYPOINTS, 2)) * 0.15
    base[sk.FACE] += [0.45, 0.1]
    base[sk.LEFT_HAND] += [0.1, 0.7]
    base[sk.RIGHT_HAND] += [0.75, 0.7]
    base[sk.LEFT_SHOULDER], base[sk.RIGHT_SHOULDER] = (0.7, 0.4), (0.3, 0.4)
    keypoints = base + np.cumsum(rng.normal(0, 0.02, (frames, sk.KEYPOINTS, 2)), axis=0)
    confidence = np.ones((frames, sk.KEYPOINTS))
    confidence[2::5, sk.LEFT_HAND] = 0
    confidence[3::7, sk.LEFT_SHOULDER] = 0
    return unit_track(keypoints, confidence)


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    torch.manual_seed(0)
    model = Denoiser(latent_channels=3, pose_channels=5, width=24, layers=2, heads=2, conv_width=8, max_frames=64)
    torch.nn.init.normal_(model.conv_last.weight, std=0.3)
    for block in model.transformer.blocks:  # attention that matters: untrained, its part would drown in the rest
        torch.nn.init.normal_(block.attn1.to_v.weight, std=1.0)
        torch.nn.init.normal_(block.attn1.to_out[0].weight, std=1.0)
    return model.eval()


def window(frames: int = FRAMES) -> tuple[torch.Tensor, Condition]:
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    still = draw(1, 3, CELLS, CELLS), draw(1, 5, CELLS, CELLS)
    return draw(1, 3, frames, CELLS, CELLS), Condition(draw(1, 5, frames, CELLS, CELLS), *still)


def lean(denoiser: Denoiser, steps: int = STEPS) -> LeanStudent:
    return LeanStudent(denoiser, SamplingConfig(steps=steps, shift=SHIFT).times, Floating(torch.float32))


def streamed(denoiser: Denoiser, chunks: list[int], memory: Memory) -> torch.Tensor:
    (noise, condition), track = window(sum(chunks)), poses(sum(chunks))
    stream, drawn, start = StudentStream(lean(denoiser), (CELLS, CELLS), memory), [], 0
    for length in chunks:
        now = slice(start, start + length)
        start += length
        part = condition.frames(now.start, now.stop)
        drawn.append(stream.draw(noise[:, :, now], part, track[now]))
    return torch.cat(drawn, dim=2)


@pytest.mark.parametrize("chunks", [[1] * 9, [4, 1, 3, 1], [9]], ids=["frames", "chunks", "at once"])
@pytest.mark.parametrize("past", [0, 2, 20])
def test_a_stream_equals_one_window(denoiser: Denoiser, chunks: list[int], past: int) -> None:
    (noise, condition), track = window(), poses(FRAMES)
    plan = plan_attention(track, (CELLS // 2, CELLS // 2), past)
    expected = sample(denoiser, noise, condition, SamplingConfig(steps=STEPS, shift=SHIFT), plan)
    found = streamed(denoiser, chunks, Memory(past, frames=FRAMES, recent=2, max_frames=FRAMES))
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=2e-5)


def test_a_stream_leaves_nothing_behind_on_the_cpu(denoiser: Denoiser, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    elsewhere = copy.deepcopy(denoiser).to(META)
    (noise, condition), track = window(), poses(FRAMES)
    noise, condition = noise.to(META), condition.to(META)
    stream = StudentStream(lean(elsewhere), (CELLS, CELLS), Memory(2, frames=4, recent=2, max_frames=FRAMES))
    for now in (slice(0, 4), slice(4, 6), slice(6, FRAMES)):
        part = condition.frames(now.start, now.stop)
        drawn = stream.draw(noise[:, :, now], part, track[now])
        assert drawn.device == META
        assert drawn.shape == noise[:, :, now].shape


def test_the_past_matters_in_that_comparison(denoiser: Denoiser) -> None:
    memory = Memory(2, frames=FRAMES, recent=2, max_frames=FRAMES)
    without = streamed(denoiser, [1] * FRAMES, Memory(0, frames=FRAMES, recent=2, max_frames=FRAMES))
    assert (streamed(denoiser, [1] * FRAMES, memory) - without).abs().max() > 1e-3
    nearer = streamed(denoiser, [1] * FRAMES, Memory(2, frames=FRAMES, recent=2, max_frames=2))
    assert (streamed(denoiser, [1] * FRAMES, memory) - nearer).abs().max() > 1e-5


def test_memory_is_bounded_however_long_the_video(denoiser: Denoiser) -> None:
    memory, frames = Memory(2, frames=5, recent=2, max_frames=4), 30
    (noise, condition), track = window(frames), poses(frames)
    stream, taken = StudentStream(lean(denoiser, 1), (CELLS, CELLS), memory), []
    for t in range(frames):
        part = condition.frames(t, t + 1)
        out = stream.draw(noise[:, :, t : t + 1], part, track[t : t + 1])
        assert out.isfinite().all()
        assert len(stream.frames_kept) <= 5
        assert stream.frames_kept[-2:] == list(range(t + 1))[-2:]
        taken.append(stream.memory_bytes())
    tokens, layers, width, float32, keys_and_values = (CELLS // 2) ** 2, 2, 24, 4, 2
    assert 0 < max(taken) <= 5 * tokens * layers * width * float32 * keys_and_values


def test_of_old_frames_the_likeness_is_let_go_and_the_odd_one_stays() -> None:
    keypoints = poses(1).keypoints
    odd = keypoints + np.random.default_rng(5).normal(0, 0.1, keypoints.shape)
    rng = np.random.default_rng(6)
    clip = np.concatenate([keypoints + rng.normal(0, 0.001, keypoints.shape) for _ in range(8)])
    clip[1] = odd[0]
    planner = StreamPlanner(Memory(1, frames=4, recent=2, max_frames=8), (8, 8))
    for frame in clip:
        planner.advance(unit_track(frame[None]))
    assert 1 in planner.kept
    assert planner.kept[-2:] == [6, 7]
    back = planner.advance(unit_track(odd))
    assert back.past == ((1,),)


def test_sizes_that_make_no_sense_are_refused(denoiser: Denoiser) -> None:
    with pytest.raises(ValueError, match="5 recent of 4 kept"):
        Memory(2, frames=4, recent=5, max_frames=8)
    with pytest.raises(ValueError, match="65 frames, the denoiser knows 64"):
        StudentStream(lean(denoiser, 1), (CELLS, CELLS), Memory(2, frames=4, recent=2, max_frames=65))

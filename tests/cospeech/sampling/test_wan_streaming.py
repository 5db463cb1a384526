"""Wan's student as a stream, its latent frames of four video frames: the same as in one window, in bounded memory."""

from dataclasses import replace

import pytest
import torch
from diffusers import WanTransformer3DModel

from cospeech.attention.kv_cache import Memory, StreamPlanner
from cospeech.attention.plan import plan_attention
from cospeech.models.transformers.wan import WanCondition, WanStreaming, WanStudent, widen
from cospeech.sampling.config import SamplingConfig, StreamConfig
from cospeech.sampling.euler import sample
from cospeech.sampling.kv_stream import StudentStream, ready_to_stream, sample_stream
from cospeech.utils.latent_frames import latent_groups
from tests.cospeech.sampling.test_kv_stream import poses
from tests.stages.wan.tiny_wan import WAN

LATENTS, CELLS, STRIDE = 9, 16, 4
FRAMES = 1 + (LATENTS - 1) * STRIDE
SAMPLING = SamplingConfig(steps=2, shift=3.0)


@pytest.fixture(scope="module")
def student() -> WanStudent:
    torch.manual_seed(0)
    transformer = widen(WanTransformer3DModel(**WAN))
    torch.nn.init.normal_(transformer.patch_embedding.weight, std=0.2)
    for block in transformer.blocks:  # attention that matters: untrained, its part would drown in the rest
        torch.nn.init.normal_(block.attn1.to_v.weight, std=1.0)
        torch.nn.init.normal_(block.attn1.to_out[0].weight, std=1.0)
    return WanStudent(transformer).eval()


def window() -> tuple[torch.Tensor, WanCondition]:
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    control = draw(1, 32, 1 + LATENTS, CELLS, CELLS)
    return draw(1, 16, LATENTS, CELLS, CELLS), WanCondition(control, draw(1, 5, 16), draw(1, 16, CELLS, CELLS))


def streamed(student: WanStudent, chunk: int, past: int) -> torch.Tensor:
    (noise, condition), track = window(), poses(FRAMES)
    stream = StreamConfig(chunk, frames=LATENTS, recent=2)
    config = replace(SAMPLING, past_frames=past, stream=stream, longest=FRAMES)
    prepared = WanStreaming(student, config.times)
    return sample_stream(prepared, noise, condition, track, config, STRIDE)


@pytest.mark.parametrize("chunk", [1, 2, LATENTS])
@pytest.mark.parametrize("past", [0, 2, 20])
def test_a_stream_equals_one_window(student: WanStudent, chunk: int, past: int) -> None:
    (noise, condition), track = window(), poses(FRAMES)
    plan = plan_attention(track, (CELLS // 2, CELLS // 2), past, stride=STRIDE)
    with torch.no_grad():
        expected = sample(student, noise, condition, SAMPLING, plan)
    found = streamed(student, chunk, past)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=2e-5)
    assert expected.std() > 0.1


def test_the_past_matters_in_that_comparison(student: WanStudent) -> None:
    with_past, without = (streamed(student, 2, past) for past in (2, 0))
    assert (with_past - without).abs().max() > 1e-3


def test_memory_is_bounded_however_long_the_video(student: WanStudent) -> None:
    (noise, condition), memory = window(), Memory(2, frames=3, recent=1, max_frames=4)
    stream = StudentStream(WanStreaming(student, replace(SAMPLING, steps=1).times), (CELLS, CELLS), memory, STRIDE)
    track = poses(200)
    most = 3 * (CELLS // 2) ** 2 * 2 * 24 * 4 * 2  # frames, tokens, layers, width, bytes, keys and values
    for number, (start, stop) in enumerate(latent_groups(197, STRIDE)):
        at = number % LATENTS
        part = condition.frames(at, at + 1)
        drawn = stream.draw(noise[:, :, at : at + 1], part, track[start:stop])
        assert drawn.isfinite().all()
        assert len(stream.frames_kept) <= 3
        assert stream.memory_bytes() <= most
    assert stream.frames_kept[-1] == 49


def test_the_planner_looks_back_as_the_plan_of_a_window_does() -> None:
    track = poses(FRAMES, seed=3)
    expected = plan_attention(track, (8, 8), 2, stride=STRIDE).past_BTK[0].numpy()
    planner = StreamPlanner(Memory(2, frames=LATENTS, recent=2, max_frames=LATENTS), (8, 8), stride=STRIDE)
    found = []
    for start, stop in ((0, 1), (1, 13), (13, 17), (17, FRAMES)):
        found += planner.advance(track[start:stop]).past
    assert found == [tuple(row[row >= 0].tolist()) for row in expected]
    with pytest.raises(ValueError, match=r"3 video frames .* 4"):
        planner.advance(track[:3])


def test_what_cannot_stream_says_so(student: WanStudent) -> None:
    assert isinstance(ready_to_stream(student, replace(SAMPLING, steps=1).times, None), WanStreaming)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a Linear cannot draw as a stream"):
        ready_to_stream(torch.nn.Linear(1, 1), replace(SAMPLING, steps=1).times, None)  # type: ignore[arg-type]
    memory = Memory(2, frames=2, recent=1, max_frames=1025)
    with pytest.raises(ValueError, match="1025 frames, the denoiser knows 1024"):
        StudentStream(WanStreaming(student, replace(SAMPLING, steps=1).times), (CELLS, CELLS), memory, STRIDE)

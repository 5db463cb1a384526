from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from cospeech.models.transformers.denoiser import Condition
from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.euler import first_noise, sample, sample_windows, window_spans

THREE = SamplingConfig(steps=3, shift=1.0, window=4, overlap=2)
ONE = replace(THREE, steps=1)


def condition(frames: int) -> Condition:
    pose = torch.arange(frames, dtype=torch.float32).view(1, 1, frames, 1, 1).expand(1, 1, frames, 2, 2)
    return Condition(pose, torch.ones(1, 3, 2, 2), torch.zeros(1, 1, 2, 2))


class Follower:
    """Predicts clean latents equal to the pose; notes what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, int, object]] = []

    def __call__(self, noisy, timestep, condition, attention=None):
        self.calls.append((float(timestep[0]), noisy.shape[2], attention))
        return condition.pose_BPThw.expand(-1, 3, -1, -1, -1)


def noise(frames: int) -> torch.Tensor:
    return torch.randn(1, 3, frames, 2, 2, generator=torch.Generator().manual_seed(0))


def test_the_first_noise_is_as_large_as_the_temperature():
    cold, usual = (first_noise((2, 5), size, torch.Generator().manual_seed(3)) for size in (0.5, 1.0))
    torch.testing.assert_close(cold, usual / 2)
    torch.testing.assert_close(usual, torch.randn(2, 5, generator=torch.Generator().manual_seed(3)))


def test_states_lie_on_the_straight_path_and_end_at_the_prediction():
    states, config = {}, SamplingConfig(steps=5, shift=2.0)
    result = sample(Follower(), noise(3), condition(3), config, on_state=lambda i, x: states.__setitem__(i, x.clone()))
    clean = condition(3).pose_BPThw.expand(-1, 3, -1, -1, -1)
    assert sorted(states) == [0, 1, 2, 3, 4, 5]
    for index, time in enumerate(config.times):
        torch.testing.assert_close(states[index], (1 - time) * clean + time * noise(3))
    assert torch.equal(result, states[5])


@pytest.mark.parametrize(("frames", "window", "overlap"), [(5, 8, 2), (8, 8, 2), (9, 8, 2), (30, 8, 3), (31, 4, 0)])
def test_windows_cover_every_frame_and_are_whole(frames, window, overlap):
    spans = window_spans(frames, window, overlap)
    covered = sorted({index for start, stop in spans for index in range(start, stop)})
    assert covered == list(range(frames))
    assert all(stop - start == min(window, frames) for start, stop in spans)
    assert all(second[0] <= first[1] - overlap for first, second in pairwise(spans))


def test_windows_are_fused_by_temporal_index():
    follower = Follower()
    result = sample_windows(follower, noise(11), condition(11), THREE)
    torch.testing.assert_close(result, condition(11).pose_BPThw.expand(-1, 3, -1, -1, -1))
    assert {frames for _, frames, _ in follower.calls} == {4}


def test_one_window_is_plain_sampling():
    whole = sample_windows(Follower(), noise(4), condition(4), replace(THREE, window=8))
    assert torch.equal(whole, sample(Follower(), noise(4), condition(4), THREE))


def test_overlap_blends_what_windows_disagree_on():
    class Counter:
        """Each call of a step predicts its own number."""

        def __init__(self):
            self.count = 0

        def __call__(self, noisy, *_):
            self.count += 1
            return torch.full_like(noisy, float(self.count))

    result = sample_windows(Counter(), noise(6), condition(6), ONE)[0, 0, :, 0, 0]
    # weights 1 2 2 1: frame 2 is (2 * first + 1 * second) / 3
    torch.testing.assert_close(result, torch.tensor([1, 1, 4 / 3, 5 / 3, 2, 2]))


def test_each_window_gets_its_own_plan():
    follower = Follower()
    sample_windows(follower, noise(6), condition(6), ONE, attention=lambda start, stop: (start, stop))
    assert [plan for _, _, plan in follower.calls] == [(0, 4), (2, 6)]


def test_overlap_must_be_smaller_than_the_window():
    with pytest.raises(ValueError, match="windows of 4 frames cannot overlap by 4"):
        window_spans(10, 4, 4)

"""Windows of a video that comes frame by frame, against all frames at once."""

from typing import Any

import pytest
import torch

from cospeech.models.common.protocols import DenoisingNet
from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.euler import sample_windows, window_ramp
from cospeech.sampling.window_stream import WindowStream


class Mixing(DenoisingNet):
    """Frames of a window change each other, and each the more the farther it is from the window's start."""

    patch = 1

    def thaw(self) -> "Mixing":
        return self

    def save_pretrained(self, folder: object) -> None:
        raise NotImplementedError

    def forward(self, noisy: torch.Tensor, timestep: torch.Tensor, condition: Any, attention: Any) -> torch.Tensor:
        place = torch.arange(1, noisy.shape[2] + 1).view(1, 1, -1, 1, 1)
        mixed = noisy.cumsum(2) * timestep.view(-1, 1, 1, 1, 1) / place
        return torch.tanh(mixed + condition.value[:, :, :, None, None])


class Condition:
    def __init__(self, value: torch.Tensor) -> None:
        self.value = value

    def frames(self, start: int, stop: int) -> "Condition":
        return Condition(self.value[:, :, start:stop])


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("frames", [1, 3, 5, 6, 7, 8, 9, 12, 26])
def test_frame_by_frame_is_all_at_once(frames: int, steps: int) -> None:
    generator = torch.Generator().manual_seed(frames)
    noise = torch.randn(1, 2, frames, 3, 3, generator=generator)
    condition = Condition(torch.randn(1, 2, frames, generator=generator))
    config = SamplingConfig(steps=steps, shift=2.0, window=5, overlap=2)
    expected = sample_windows(Mixing(), noise, condition, config)
    asked = []

    def look(start: int, stop: int) -> tuple[Condition, None]:
        asked.append((start, stop))
        return condition.frames(start, stop), None

    stream = WindowStream(Mixing(), config, look)
    parts = [stream.push(noise[:, :, t : t + 1]) for t in range(frames)]
    torch.testing.assert_close(torch.cat([*parts, stream.finish()], 2), expected)
    assert asked == sorted(set(asked)), "once each, in order"
    assert {frame for start, stop in asked for frame in range(start, stop)} == set(range(frames))


def test_what_is_kept_does_not_grow() -> None:
    zero = Condition(torch.zeros(1, 1, 5))
    config = SamplingConfig(steps=2, shift=1.0, window=5, overlap=2)
    stream = WindowStream(Mixing(), config, lambda start, stop: (zero, None))
    kept = []
    for _ in range(60):
        stream.push(torch.zeros(1, 1, 1, 2, 2))
        kept.append((len(stream._looks), stream.memory_bytes()))
    assert max(kept[30:]) <= max(kept[:30])
    assert max(looks for looks, _ in kept) <= 4


def test_ends_count_less_where_windows_overlap() -> None:
    assert window_ramp(5).tolist() == [1, 2, 3, 2, 1]
    assert window_ramp(2).tolist() == [1, 1]


def test_windows_must_advance() -> None:
    config = SamplingConfig(steps=1, shift=1.0, window=5, overlap=5)
    with pytest.raises(ValueError, match="windows of 5 frames cannot overlap by 5"):
        WindowStream(Mixing(), config, lambda start, stop: (None, None))

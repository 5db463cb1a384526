"""The record of how a model draws: its times, what it asks of windows and streams, and the parameters that give it."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cospeech.config import load_params
from cospeech.sampling.config import SamplingConfig, StreamConfig
from cospeech.sampling.sections import student_sampling, teacher_sampling, with_sampling


def test_times_run_from_noise_to_clean_and_shift_to_the_noisy_side() -> None:
    even, shifted = (SamplingConfig(steps=4, shift=shift).times for shift in (1.0, 2.0))
    assert even == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert shifted[0] == 1.0
    assert shifted[-1] == 0.0
    assert all(a > b for a, b in zip(shifted[1:-1], even[1:-1], strict=True))
    with pytest.raises(ValueError, match="got 0"):
        SamplingConfig(steps=0, shift=1.0)


def test_windows_and_memory_are_told_in_latent_frames() -> None:
    config = SamplingConfig(steps=1, shift=1.0, window=9, overlap=4, past_frames=3, longest=17)
    assert config.latent_window() == (9, 4)
    assert config.latent_window(stride=4) == (3, 1)
    memory = replace(config, stream=StreamConfig(chunk=2, frames=6, recent=1)).memory(stride=4)
    assert asdict(memory) == {"past_frames": 3, "frames": 6, "recent": 1, "max_frames": 5}
    with pytest.raises(ValueError, match="stream"):
        config.memory()
    with pytest.raises(ValueError, match="window"):
        SamplingConfig(steps=1, shift=1.0).latent_window()


@pytest.mark.parametrize("changes", [{}, {"stream": None}, {"mask": ("local",), "stream": None}])
def test_parameters_take_a_config_back(repository: Path, changes: dict) -> None:
    params = load_params(repository / "params.yaml")
    config = student_sampling(params.student, params.teacher, params.attention, 12, 3)
    assert config.stream is not None
    other = replace(
        config, steps=7, shift=2.5, temperature=0.3, precision="bf16", past_frames=1, longest=10, window=8, overlap=2,
        **changes,
    )  # fmt: skip
    back = with_sampling(params, other)
    window, overlap = back.evaluate.window, back.evaluate.overlap
    assert student_sampling(back.student, back.teacher, back.attention, window, overlap) == other
    assert back.teacher.steps == params.teacher.steps


def test_the_teacher_is_dense(repository: Path) -> None:
    params = load_params(repository / "params.yaml")
    config = teacher_sampling(params.teacher)
    assert config.mask == ()
    assert config.stream is None
    assert config.steps == params.teacher.steps

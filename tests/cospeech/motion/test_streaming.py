"""Speech that comes in pieces gives the features and the motion of the whole, in memory that does not grow."""

import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from cospeech.audio.mel import LogMelStream, log_mel
from cospeech.motion.model import MotionModel
from cospeech.motion.stream import MotionStream, draw_motion
from tests.cospeech.motion.test_model import lively_model
from tests.helpers.keypoints import person


def pieces(length: int, cut: str) -> list[slice]:
    odd = np.random.default_rng(0).integers(0, length // 20 + 2, 60).tolist()
    sizes = {"one": [length], "evenly": [length // 50 + 1] * 50, "oddly": odd}[cut]
    ends = np.minimum(np.cumsum([0, *sizes, length]), length)
    return [slice(start, stop) for start, stop in pairwise(ends)]


CUTS = ["one", "evenly", "oddly"]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(("rate", "fps", "samples"), [(16000, 25, 16000), (16000, 25, 12345), (22050, 24, 20000)])
def test_log_mel(cut: str, rate: int, fps: float, samples: int) -> None:
    speech = np.random.default_rng(0).normal(size=samples) * 0.1
    stream = LogMelStream(rate, fps)
    made = np.concatenate([*(stream.push(speech[part]) for part in pieces(samples, cut)), stream.finish()])
    frames = int(np.ceil(samples * fps / rate))
    np.testing.assert_array_equal(made, log_mel(speech, rate, frames, fps))


def test_a_frame_of_log_mel_comes_as_soon_as_its_last_sample() -> None:
    stream = LogMelStream(16000, 25)
    assert stream.look_ahead == pytest.approx(0.0075)
    assert len(stream.push(np.zeros(640 + 119))) == 0
    assert len(stream.push(np.zeros(1))) == 1
    assert len(stream.push(np.zeros(640))) == 1
    assert LogMelStream(16000, 25).finish().shape == (0, 4, 80)


def model() -> MotionModel:
    return lively_model(lookahead=2, chunk=3)


def reference() -> np.ndarray:
    return person(1).keypoints[0]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("frames", [1, 2, 50])
def test_motion(cut: str, frames: int) -> None:
    mel = np.random.default_rng(1).normal(size=(frames, 4, 80)).astype(np.float32)
    offline = draw_motion(model(), mel, reference(), 4, 3)
    stream = MotionStream(model(), reference(), 4, 3)
    made = np.concatenate([*(stream.push(mel[part]) for part in pieces(frames, cut)), stream.finish()])
    assert offline.shape == (frames, 133, 2)
    np.testing.assert_allclose(made, offline, atol=0.01)  # of a pixel
    assert np.abs(offline - draw_motion(model(), mel, reference(), 4, 4)).max() > 0.1


def test_motion_is_decided_after_the_lookahead_and_stays() -> None:
    mel = np.random.default_rng(1).normal(size=(30, 4, 80)).astype(np.float32)
    other = mel.copy()
    other[20:] += 3
    stream = MotionStream(model(), reference(), 4, 3)
    decided = stream.push(mel[:20])
    assert len(decided) == 20 - stream.lookahead
    offline = draw_motion(model(), other, reference(), 4, 3)
    np.testing.assert_allclose(offline[: len(decided)], decided, atol=0.01)
    assert np.abs(offline[len(decided)] - draw_motion(model(), mel, reference(), 4, 3)[len(decided)]).max() > 0.02


def test_what_the_network_cannot_see_does_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chunk moves the body by the same: what is seen of it adds up chunk by chunk, the rest to a limit."""
    own = model()
    monkeypatch.setattr(MotionStream, "_draw", lambda self, state: torch.zeros(1, len(own.chunk_basis)))
    stream = MotionStream(own, reference(), 2, 0)
    stream.push(np.zeros((3 * 500 + stream.lookahead, 4, 80), np.float32))
    step = own.decode_chunk(torch.zeros(1, len(own.chunk_basis)))[:, -1]
    seen = own.visible(step)
    torch.testing.assert_close(own.visible(stream._moved), 500 * seen, atol=1e-2, rtol=1e-3)
    limit = (step - seen) / (1 - np.exp(-3 / 100))
    torch.testing.assert_close(stream._moved - 500 * seen, limit, atol=1e-2, rtol=1e-2)


def test_memory_does_not_grow() -> None:
    voice, motion = LogMelStream(16000, 25), MotionStream(model(), reference(), 4, 3)
    sizes = []
    for _ in range(40):
        motion.push(voice.push(np.random.default_rng(2).normal(size=640)))
        sizes.append(held(voice) + held(motion))
    assert max(sizes[10:]) == sizes[10] == sizes[-1]


def held(item: object) -> int:
    """Bytes of the arrays that an object, or what it holds, keeps."""
    if isinstance(item, torch.nn.Module):
        return 0
    if isinstance(item, np.ndarray):
        return item.nbytes
    if isinstance(item, torch.Tensor):
        return item.numel() * item.element_size()
    if isinstance(item, list | tuple):
        return sum(map(held, item))
    return sum(map(held, vars(item).values())) if hasattr(item, "__dict__") else sys.getsizeof(item)

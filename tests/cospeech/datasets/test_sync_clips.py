import numpy as np
import pytest
import torch

from cospeech.datasets.sync_clips import SpeakingClip, draw_batch, speaking_clip, stretch_offsets


@pytest.mark.parametrize("late", [-7, 0, 4])
def test_a_shift_of_the_speech_moves_the_offset_by_as_much(late: int) -> None:
    lips = np.random.default_rng(0).normal(size=(120, 8))
    lips /= np.linalg.norm(lips, axis=1, keepdims=True)
    found = stretch_offsets(lips, np.roll(lips, late, 0), frames=50)
    assert len(found) > 1
    assert set(found) == {late}


def clip(seed: int, frames: int = 30) -> SpeakingClip:
    rng = np.random.default_rng(seed)
    crops = rng.integers(0, 256, (frames, 48, 96, 3), dtype=np.uint8)
    mel = np.arange(frames, dtype=np.float32)[:, None, None] + np.zeros((frames, 4, 80), np.float32)
    return speaking_clip(crops, mel)


def test_batches_are_drawn_from_the_seed_and_rows_differ() -> None:
    clips = [clip(0), clip(1), clip(2)]
    crops, mel = draw_batch(clips, 2, 6, torch.Generator().manual_seed(5))
    again, _ = draw_batch(clips, 2, 6, torch.Generator().manual_seed(5))
    assert crops.shape == (12, 5, 3, 48, 96)
    assert mel.shape == (12, 20, 80)
    torch.testing.assert_close(crops, again, atol=0, rtol=0)
    starts = mel[:6, 0, 0].tolist()
    assert len(set(starts)) == 6


def test_lips_and_speech_of_a_row_come_from_the_same_frames() -> None:
    frames = 40
    crops = np.zeros((frames, 48, 96, 3), np.uint8) + np.arange(frames, dtype=np.uint8)[:, None, None, None]
    mel = np.arange(frames, dtype=np.float32)[:, None, None] + np.zeros((frames, 4, 80), np.float32)
    lips, speech = draw_batch([speaking_clip(crops, mel)], 1, 8, torch.Generator().manual_seed(1))
    per_frame = lips.mean((2, 3, 4)) * 255
    steps = (per_frame[:, 1:] - per_frame[:, :1]) / (per_frame[:, 1:2] - per_frame[:, :1])
    torch.testing.assert_close(steps, torch.arange(1.0, 5.0).expand(8, 4), atol=1e-2, rtol=0)
    order = per_frame[:, 0].argsort()
    torch.testing.assert_close(speech[order, 0, 0], speech[:, 0, 0].sort().values)
    torch.testing.assert_close(speech[:, 16, 0] - speech[:, 0, 0], torch.full((8,), 4.0))

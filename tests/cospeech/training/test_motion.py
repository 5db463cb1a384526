import numpy as np
import pytest
import torch

from cospeech.audio.mel import FLOOR
from cospeech.datasets.motion_clips import MovingClip
from cospeech.metrics.lips import lip_correlation, lip_gap
from cospeech.motion.model import MotionModel
from cospeech.motion.representation import POSTURE, SPEECH
from cospeech.motion.stream import SILENCE, draw_motion
from cospeech.pose import skeleton as sk
from cospeech.training.motion import draw_batch, fit_statistics, heard, motion_loss, push, vary_voice
from cospeech.training.trainer import Optimisation, train
from tests.helpers.keypoints import person

FRAMES = 48


class Bar:
    def update(self, n: int = 1, **figures: float) -> None:
        pass


def talking(seed: int, frames: int = FRAMES) -> MovingClip:
    """A person whose mouth opens with the loudness of noise, and who otherwise sways."""
    rng = np.random.default_rng(seed)
    track = person(frames, 0)
    loud = np.convolve(rng.uniform(0, 1, frames + 4), np.ones(5) / 5, mode="valid")
    loud = (loud - loud.min()) / np.ptp(loud)
    gap = np.array([0, 0, -1, -1, -1, 0, 1, 1])
    track.keypoints[:, sk.INNER_LIPS, 1] = 98 + np.outer(8 * loud, gap)
    mel = np.repeat((6 * loud - 10)[:, None, None], 4, 1) + rng.normal(0, 0.3, (frames, 4, 80))
    return MovingClip(track, mel.astype(np.float32))


def test_batches_have_their_shapes_and_repeat() -> None:
    clips, model = [talking(seed) for seed in range(3)], MotionModel(8, 8, lookahead=4, chunk=4)
    batch, again = (draw_batch(clips, 5, 17, model, torch.Generator().manual_seed(1)) for _ in range(2))
    assert batch.mel.shape == (5, 16 + model.span - 1, 4, 80)
    assert batch.lips.shape == (5, 16, SPEECH)
    assert batch.moves.shape == (5, 4, 4, POSTURE)
    assert batch.seen.shape == (5, 4, POSTURE)
    torch.testing.assert_close(batch.seen[:, 1], batch.seen[:, 0] + batch.moves[:, 0, -1], atol=1e-4, rtol=0)
    torch.testing.assert_close(batch.moves, again.moves, atol=0, rtol=0)
    assert not torch.equal(batch.moves, draw_batch(clips, 5, 17, model, torch.Generator().manual_seed(2)).moves)


def test_pushed_bodies_come_back_to_where_they_would_have_been() -> None:
    clips = [talking(seed) for seed in range(6)]
    model = MotionModel(16, 16, 2, 4, pose_components=4, chunk_components=4)
    fit_statistics(model, clips)
    batch = draw_batch(clips, 8, 40, model, torch.Generator().manual_seed(1))
    seen, moves = push(model, batch, torch.Generator().manual_seed(2))
    torch.testing.assert_close(seen[:, 1:], seen[:, :-1] + moves[:, :-1, -1], atol=1e-4, rtol=0)
    away = (seen - batch.seen).norm(dim=-1)
    assert (away[:, 0] > 0.01).all()
    torch.testing.assert_close(away[:, -1] / away[:, 0], torch.full((8,), float(np.exp(-36 / 25))), atol=1e-3, rtol=0)


def test_what_a_frame_hears_is_what_the_stream_lets_it_hear() -> None:
    clip, model = talking(0), MotionModel(8, 8, lookahead=4)
    padded = np.concatenate([np.full((5, 4, 80), SILENCE), clip.mel, np.full((4, 4, 80), SILENCE)])
    np.testing.assert_allclose(heard(clip.mel, 0, FRAMES, model), padded, rtol=1e-6)
    np.testing.assert_allclose(heard(clip.mel, 10, 13, model), padded[10 : 13 + model.span - 1], rtol=1e-6)
    assert pytest.approx(np.log(FLOOR)) == SILENCE


def test_a_varied_voice_is_the_same_speech() -> None:
    mel = torch.from_numpy(np.stack([talking(0).mel, talking(1).mel]))
    varied = vary_voice(mel, torch.Generator().manual_seed(0))
    assert varied.shape == mel.shape
    assert varied.min() >= SILENCE - 1e-3
    assert (varied - mel).abs().max() > 0.3
    for before, after in zip(mel.mean((2, 3)), varied.mean((2, 3)), strict=True):
        assert np.corrcoef(before, after)[0, 1] > 0.9


def test_mirroring_twice_and_smoothing() -> None:
    clip = talking(0)
    np.testing.assert_allclose(clip.mirrored().mirrored().keypoints, clip.keypoints)
    np.testing.assert_allclose(clip.mirrored().keypoints[:, sk.LEFT_WRIST, 0], -clip.keypoints[:, sk.RIGHT_WRIST, 0])
    smooth = clip.smoothed().keypoints
    np.testing.assert_array_equal(smooth[:, sk.FACE], clip.keypoints[:, sk.FACE])
    shaking = [np.abs(np.diff(points[:, sk.HANDS], 2, axis=0)).mean() for points in (smooth, clip.keypoints)]
    assert shaking[0] < shaking[1]


@pytest.fixture(scope="module")
def trained() -> MotionModel:
    clips = [talking(seed) for seed in range(6)]
    torch.manual_seed(0)
    model = MotionModel(16, 16, 2, 3, pose_components=4, chunk_components=4)
    fit_statistics(model, clips)

    def loss(model: MotionModel, step: int, generator: torch.Generator) -> torch.Tensor:
        return motion_loss(model, draw_batch(clips, 6, 30, model, generator), generator)

    settings = Optimisation(150, 5e-3, 10, 0.5, (0.9, 0.98), 0.0, 1.0, 0.9)
    return train(model, loss, settings, 0, Bar()).average


def test_lips_learn_to_follow_a_voice_not_heard_before(trained: MotionModel) -> None:
    clip = talking(99)
    drawn = draw_motion(trained, clip.mel, clip.keypoints[0], 4, 0)
    correlation = lip_correlation(drawn, clip.track)
    assert correlation is not None
    assert correlation > 0.8


def test_a_voice_that_is_late_makes_lips_late(trained: MotionModel) -> None:
    clip, late = talking(99), 5
    delayed = np.concatenate([np.full((late, 4, 80), SILENCE, np.float32), clip.mel])
    gaps = [lip_gap(draw_motion(trained, mel, clip.keypoints[0], 4, 0)) for mel in (clip.mel, delayed)]
    shifts = [float(np.corrcoef(gaps[0][10:30], gaps[1][10 + shift : 30 + shift])[0, 1]) for shift in range(11)]
    assert int(np.argmax(shifts)) == late

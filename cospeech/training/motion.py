"""What voice to motion learns from: windows of speech with what body and mouth did meanwhile, and the losses.

Axes: B batch, T frames, M mel windows a frame, C mel bands, K chunks, N frames of a chunk, R coordinates of the
posture, S of the speaking parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cospeech.audio.mel import SILENCE
from cospeech.datasets.motion_clips import MovingClip
from cospeech.models.common.tensor_record import Batched
from cospeech.motion.model import MotionModel
from cospeech.motion.representation import LIPS, describe, offsets, weights
from cospeech.pose import skeleton as sk
from cospeech.training.losses import training_timesteps

_NOISES = 2
"""Noisy versions of every chunk in a training step: they cost little beside the voice."""
_UNSURE = 0.1
"""Noise on the poses that the memory sees, standard deviations: what it has drawn itself will not be right either."""
_AWAY, _BACK = 1.0, 25.0
"""How far bodies are pushed, standard deviations of training poses, at most; frames in which they come back by a factor
of e. What is drawn strays, and learns here to come back."""
_LIP_UNIT = 0.03
"""Eye distances; about how far lips are from their mean while people speak. The loss is told in it."""
_MOUTH = slice(2 * len(sk.JAW), 2 * len(LIPS))


@dataclass(frozen=True)
class Batch(Batched):
    """mel (B, T + span - 1, M, C). lips (B, T, S); lips_at_rest (B, S), their reference. moves (B, K, N, R) of each
    chunk away from the frame before it; seen (B, K, R), that frame, described; first (B, R), the reference, described.
    """

    mel: torch.Tensor
    lips: torch.Tensor
    lips_at_rest: torch.Tensor
    moves: torch.Tensor
    seen: torch.Tensor
    first: torch.Tensor


def fit_statistics(model: MotionModel, clips: Sequence[MovingClip]) -> None:
    """Set the model's means and components from every frame of `clips`, each as it is and mirrored."""
    both = [version for clip in clips for version in (clip, clip.mirrored())]
    described = [describe(frame) for clip in both for frame in clip.keypoints]
    chunk = model.config.chunk
    chunks = []
    for clip in both:
        posture = offsets(clip.keypoints, clip.keypoints[0])[0]
        for start in range(len(posture) - chunk):
            chunks.append(posture[start + 1 : start + 1 + chunk] - posture[start])
    mel = torch.from_numpy(np.concatenate([clip.mel for clip in clips]))
    postures, lips = (torch.from_numpy(np.stack(part)) for part in zip(*described, strict=True))
    model.fit_statistics(mel.flatten(0, 1), postures, lips, torch.from_numpy(np.stack(chunks)), _weights())


def _weights() -> torch.Tensor:
    return torch.from_numpy(weights())


def draw_batch(
    clips: Sequence[MovingClip], count: int, window: int, model: MotionModel, generator: torch.Generator
) -> Batch:
    """`count` windows of as many whole chunks as go into `window` frames, half of them mirrored.

    What motion and lips start from, the reference, is any frame of the clip: a stream's is minutes old.
    """
    parts, chunk = [], model.config.chunk
    for index in torch.randint(len(clips), (count,), generator=generator).tolist():
        clip = clips[index]
        clip = clip.mirrored() if torch.rand(1, generator=generator) < 0.5 else clip
        frames = window // chunk * chunk
        start = int(torch.randint(len(clip.mel) - frames, (1,), generator=generator))
        rest = int(torch.randint(len(clip.mel), (1,), generator=generator))
        parts.append(_window(clip, start, frames, rest, model))
    mel, *others = (torch.from_numpy(np.stack(part)) for part in zip(*parts, strict=True))
    return Batch(vary_voice(mel, generator), *others)


def _window(clip: MovingClip, start: int, frames: int, rest: int, model: MotionModel) -> tuple[np.ndarray, ...]:
    """The frames after `start`, away from frame `rest`."""
    chunk, reference = model.config.chunk, clip.keypoints[rest]
    posture, lips = offsets(clip.keypoints[start : start + 1 + frames], reference)
    first, lips_at_rest = describe(reference)
    before = posture[:-1:chunk]
    moves = posture[1:].reshape(-1, chunk, posture.shape[1]) - before[:, None]
    mel = heard(clip.mel, start + 1, start + 1 + frames, model)
    return mel, lips[1:], lips_at_rest, moves, first + before, first


def heard(mel_TMC: np.ndarray, start: int, stop: int, model: MotionModel) -> np.ndarray:
    """Log-mel that frames `start` to `stop` hear, silence outside the clip: (stop - start + span - 1, M, C)."""
    after = model.config.lookahead
    before = model.span - 1 - after
    part = mel_TMC[max(start - before, 0) : stop + after]
    missing = (max(before - start, 0), max(stop + after - len(mel_TMC), 0))
    return np.pad(part, (missing, (0, 0), (0, 0)), constant_values=SILENCE)


def vary_voice(mel_BTMC: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Other voices in other rooms: formants moved by up to two bands, louder or softer by up to 9 dB, another tilt of
    the spectrum, noise under it."""
    batch, bands = len(mel_BTMC), mel_BTMC.shape[-1]
    change = torch.rand(batch, 5, generator=generator)
    place = torch.arange(bands) + (change[:, :1] * 4 - 2)
    low = place.floor().clamp(0, bands - 2).long()
    share = (place - low).clamp(0, 1)[:, None, None]
    index = low[:, None, None].expand_as(mel_BTMC)
    mel = mel_BTMC.gather(-1, index) * (1 - share) + mel_BTMC.gather(-1, index + 1) * share
    slope = torch.linspace(-1, 1, bands) * (change[:, 1:2] * 2 - 1)
    mel = mel + ((change[:, 2:3] * 4 - 2) + slope)[:, None, None]
    noise = SILENCE - 2 + 6 * change[:, 3:4] * torch.linspace(1, 2 * float(change[0, 4]), bands)
    return torch.logaddexp(mel, noise[:, None, None].expand_as(mel)).clamp(min=SILENCE)


def motion_loss(model: MotionModel, batch: Batch, generator: torch.Generator) -> torch.Tensor:
    heard_BTW = model.hear(batch.mel)
    lips = lip_loss(model.speak(heard_BTW, batch.lips_at_rest), batch.lips)
    return lips + posture_loss(model, batch, heard_BTW.detach(), generator)


def lip_loss(made_BTS: torch.Tensor, truth_BTS: torch.Tensor) -> torch.Tensor:
    """Mean distance of the points and of their steps from frame to frame; the mouth counts twice the jaw."""
    error = (made_BTS - truth_BTS) / _LIP_UNIT
    mouth = error[..., _MOUTH]
    return (_distance(error) + _distance(error.diff(dim=1)) + _distance(mouth) + _distance(mouth.diff(dim=1))) / 2


def _distance(error_BTS: torch.Tensor) -> torch.Tensor:
    """Without the corner of the norm at nought."""
    return (error_BTS.unflatten(-1, (-1, 2)).square().sum(-1) + 0.01).sqrt().mean()


def posture_loss(model: MotionModel, batch: Batch, heard_BTW: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Squared error of the clean chunks that the flow head sees in noisy ones."""
    pushed_BKR, moves = push(model, batch, generator)
    seen = model.look(pushed_BKR)
    seen = seen + _UNSURE * torch.randn(seen.shape, generator=generator).to(seen)
    chunk = batch.moves.shape[2]
    state_BKH, _ = model.remember(seen, model.look(batch.first), heard_BTW[:, ::chunk], None)
    clean = model.encode_chunk(moves)[None].expand(_NOISES, -1, -1, -1)
    noise = torch.randn(clean.shape, generator=generator).to(clean)
    time = training_timesteps(clean[..., 0].numel(), 1.0, generator).to(clean).reshape(*clean.shape[:-1], 1)
    noisy = clean + (noise - clean) * time
    return (model(noisy, time, state_BKH.expand(*clean.shape[:-1], -1)) - clean).square().mean()


def push(model: MotionModel, batch: Batch, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """`seen` and `moves` of the same bodies, had they been somewhere else before the window, and come back in it.

    As a learner is shown how to recover by disturbing who teaches it: Laskey et al., "DART", CoRL 2017.
    """
    count, chunks, frames = batch.moves.shape[:3]
    far_B1 = _AWAY * torch.rand(count, 1, generator=generator)
    far_BP = (far_B1 * torch.randn(count, len(model.pose_scale), generator=generator)).to(model.pose_scale)
    far_BR = (far_BP * model.pose_scale) @ model.pose_basis / model.weight
    left = (-torch.arange(chunks * frames + 1) / _BACK).exp().to(far_BR)
    before_K1, after_KN1 = left[:-1:frames, None], left[1:].unflatten(0, (chunks, frames))[..., None]
    seen = batch.seen + before_K1 * far_BR[:, None]
    return seen, batch.moves + (after_KN1 - before_K1[:, None]) * far_BR[:, None, None]

"""Batches for the lip-sync expert and the offset it finds.

Axes: B batch, F frames of a window, M mel windows, C channels, N windows of a clip, D embedding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cospeech.metrics.sync import REACH, sync_score
from cospeech.models.perception.sync import WINDOW


@dataclass(frozen=True)
class SpeakingClip:
    """crops: (T, 3, 48, 96) uint8 mouth crops. mel: (T, 4, 80) float32, natural log."""

    crops: torch.Tensor
    mel: torch.Tensor

    @property
    def windows(self) -> int:
        return len(self.crops) - WINDOW + 1


def speaking_clip(crops: np.ndarray, mel: np.ndarray) -> SpeakingClip:
    """crops: (T, 48, 96, 3) uint8. mel: (T, 4, 80)."""
    assert len(crops) == len(mel), (len(crops), len(mel))
    return SpeakingClip(torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(mel))


def draw_batch(
    clips: Sequence[SpeakingClip], clips_a_batch: int, windows_a_clip: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows of a few clips, several of each: the hard negatives are the same mouth at another moment.

    Lips are mirrored for half of the clips and vary in brightness, contrast and place by a few pixels.

    Returns:
        crops (B, F, 3, 48, 96) in 0..1 and mel (B, 4 * F, 80); row i of each belongs together.
    """
    crops, mels = [], []
    chosen = torch.randint(len(clips), (clips_a_batch,), generator=generator).tolist()
    if clips_a_batch <= len(clips):
        chosen = torch.randperm(len(clips), generator=generator)[:clips_a_batch].tolist()
    for clip in (clips[index] for index in chosen):
        change = torch.rand(5, generator=generator)
        shift = (change[:2] * 5).int() - 2
        gain, lift = 0.8 + 0.4 * change[2], 0.2 * change[3] - 0.1
        for start in torch.randperm(clip.windows, generator=generator)[:windows_a_clip].tolist():
            window = clip.crops[start : start + WINDOW].float() / 255
            window = window.flip(-1) if change[4] < 0.5 else window
            crops.append(window.roll(shift.tolist(), (-2, -1)) * gain + lift)
            mels.append(clip.mel[start : start + WINDOW].flatten(0, 1))
    return torch.stack(crops), torch.stack(mels)


def stretch_offsets(
    lips_ND: np.ndarray, speech_ND: np.ndarray, frames: int, reach: int = REACH, step: int | None = None
) -> list[int]:
    """The offset found in each stretch of `frames` frames; positive where the audio is late.

    A new stretch begins every `step` frames, by default half its length. Within a stretch the lips stand still and the
    speech is looked up to `reach` frames around it.
    """
    length = frames - WINDOW + 1
    starts = range(reach, len(lips_ND) - length - reach + 1, step or max(1, length // 2))
    return [sync_score(lips_ND[start : start + length], speech_ND, start, reach).offset for start in starts]

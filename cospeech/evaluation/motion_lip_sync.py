"""Motion shown by the student, so that a lip-sync expert, who looks at pictures, can judge it."""

from collections.abc import Mapping, Sequence

import numpy as np

from cospeech.datasets.windows import Clip, Window
from cospeech.evaluation.clip_metrics import lip_shifts
from cospeech.evaluation.networks_bundle import Judges
from cospeech.evaluation.sample_videos import still
from cospeech.evaluation.segments import REFERENCE, Stretch, Take
from cospeech.evaluation.throughput import encode_skeletons
from cospeech.families.base import PoseInput
from cospeech.harness.progress import Progress
from cospeech.metrics.sync import SyncScore, score_of
from cospeech.pose.track import PoseTrack
from cospeech.sampling.generation import Sampler, draw


def puppet_scores(
    kinds: Mapping[str, Sequence[np.ndarray]],
    clips: Sequence[Clip],
    stretches: Sequence[Stretch],
    student: Sampler,
    encoder: PoseInput,
    judges: Judges,
    seed: int,
    bar: Progress,
) -> dict[str, list[SyncScore | None]]:
    """By kind of motion, how well the student's lips go with the voice in every stretch; None where nobody can judge.

    kinds: by name, keypoints (T, 133, 2) in pixels for the whole of every clip.
    """
    if judges.sync is None:
        return {}
    heard = [judges.sync.speech(stretch.sound) for stretch in stretches]
    scores: dict[str, list[SyncScore | None]] = {name: [] for name in kinds}
    for name, tracks in kinds.items():
        for index, (clip, stretch, track) in enumerate(zip(clips, stretches, tracks, strict=True)):
            take = puppet(name, clip, stretch, track, student, encoder, seed, index)
            shifts = lip_shifts(take, stretch, judges, heard[index])
            scores[name].append(None if shifts is None else score_of(shifts))
            bar.update(1)
    return scores


def puppet(
    name: str,
    clip: Clip,
    stretch: Stretch,
    track: np.ndarray,
    student: Sampler,
    encoder: PoseInput,
    seed: int,
    index: int,
) -> Take:
    """The stretch by the student, from the clip's reference frame and the keypoints of `track`."""
    part = slice(stretch.start, stretch.stop)
    shown = PoseTrack(track, still(clip.track.confidence[REFERENCE], len(clip)), clip.track.size)
    moved = clip.moved(part, encode_skeletons(encoder, shown[part], student.device), shown, REFERENCE)
    frames = draw(student, Window(moved, part.start, part.stop, REFERENCE), seed, index).frames
    return Take(name, frames, shown[part])

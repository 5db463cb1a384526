"""All measures of one take of a held-out stretch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cospeech.evaluation.networks_bundle import Judges
from cospeech.evaluation.segments import Stretch, Take
from cospeech.metric_networks.i3d import LEAST_FRAMES
from cospeech.metrics import hands, image, lips, sync
from cospeech.metrics.identity import identity_similarity
from cospeech.models.perception.sync import WINDOW

Value = float | int | str | bool | None


@dataclass(frozen=True)
class Measured:
    """row: clip, speaker, split, model and every measure a clip has. psnr: (T,). shifts: (31,) mean distances, or None.
    features: by measure (fid: (T, 2048), fvd: (1, 400)) what its network sees, for distances of whole sets."""

    row: dict[str, Value]
    psnr: np.ndarray
    shifts: np.ndarray | None
    features: Mapping[str, np.ndarray] = field(default_factory=dict)


def measure(take: Take, stretch: Stretch, judges: Judges, heard: np.ndarray | None) -> Measured:
    """Every measure of a take. What cannot be measured, or compares real footage with itself, is None.

    heard: the judge's embeddings of the speech of the whole clip.
    """
    psnr = image.psnr(take.frames, stretch.frames)
    shifts = None if judges.sync is None or heard is None else lip_shifts(take, stretch, judges, heard)
    shut, spoken = lips.bilabial_closure(take.track, stretch.phones, stretch.fps, stretch.start)
    row: dict[str, Value] = {
        "clip": stretch.clip,
        "speaker": stretch.speaker,
        "split": stretch.split,
        "model": take.model,
        **_against_truth(take, stretch, judges, psnr),
        "bilabial_closure": shut / spoken if spoken else None,
        "bilabials": spoken,
        "hkc": hands.hkc(take.track),
        "hand_missing": hands.hand_missing(take.track),
        "hkv": hands.hkv(take.track),
        "flicker": image.flicker(take.frames),
        "face_missing": float(1 - lips.face_found(take.track).mean()),
        **_sync(shifts),
    }
    return Measured(row, psnr, shifts, _features(take, judges))


def _against_truth(take: Take, stretch: Stretch, judges: Judges, psnr: np.ndarray) -> dict[str, Value]:
    names = ("psnr", "ssim", "lpips", "lmd", "hand_pck", "identity")
    if take.real:
        return dict.fromkeys(names)
    return {
        "psnr": float(psnr.mean()),
        "ssim": float(image.ssim(take.frames, stretch.frames).mean()),
        "lpips": float(judges.lpips(take.frames, stretch.frames).mean()) if judges.lpips else None,
        "lmd": _mean(lips.lmd(take.track, stretch.track)),
        "hand_pck": hands.hand_pck(take.track, stretch.track),
        "identity": _identity(take, stretch, judges),
    }


def _identity(take: Take, stretch: Stretch, judges: Judges) -> float | None:
    if judges.identity is None:
        return None
    made, real = (judges.identity(each.frames, each.track.keypoints) for each in (take, stretch))
    found = lips.face_found(take.track) & lips.face_found(stretch.track)
    return identity_similarity(made, real, found)


def _features(take: Take, judges: Judges) -> dict[str, np.ndarray]:
    features = {}
    if judges.fid is not None:
        features["fid"] = judges.fid(take.frames)
    if judges.fvd is not None and len(take.frames) >= LEAST_FRAMES:
        features["fvd"] = judges.fvd(take.frames)[None]
    return features


def _sync(shifts: np.ndarray | None) -> dict[str, Value]:
    if shifts is None:
        return dict.fromkeys(("sync_c", "sync_d", "sync_offset"))
    score = sync.score_of(shifts)
    return {"sync_c": score.confidence, "sync_d": score.distance, "sync_offset": score.offset}


def lip_shifts(take: Take, stretch: Stretch, judges: Judges, heard: np.ndarray) -> np.ndarray | None:
    """Mean distance of the take's lips to the clip's speech at every shift, (31,); None where the clip is too short."""
    count = len(take.frames) - WINDOW + 1
    if count < 1 or stretch.start + count <= sync.REACH or stretch.start + sync.REACH >= len(heard):
        return None
    assert judges.sync is not None
    return sync.shift_distances(judges.sync.lips(take.frames, take.track.keypoints), heard, stretch.start)


def _mean(values: np.ndarray) -> float | None:
    """Without NaN; None where nothing is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None

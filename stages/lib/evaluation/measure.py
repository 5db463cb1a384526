"""All measures of one take of a held-out stretch, and their summary over clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stages.lib.metrics import hands, lips, pictures, sync
from stages.lib.metrics.catalogue import MEASURES, UNAVAILABLE
from stages.lib.mouth import mouth_crops
from stages.lib.nets.sync import WINDOW, SyncExpert

Value = float | int | str | bool | None
SPLITS = ("seen", "unseen")


@dataclass(frozen=True)
class Stretch:
    """Frames `start` to `stop` of a held-out clip as they really are.

    frames: (T, H, W, 3) uint8; keypoints: (T, 133, 2); confidence: (T, 133). phones: (text, start, end), seconds of the
    clip. mel: of the whole clip. seen: the person occurs in training.
    """

    clip: str
    speaker: str
    seen: bool
    start: int
    stop: int
    fps: int
    frames: np.ndarray
    keypoints: np.ndarray
    confidence: np.ndarray
    phones: Sequence[tuple[str, float, float]]
    mel: np.ndarray


@dataclass(frozen=True)
class Take:
    """The same stretch as a model makes it; keypoints are found in its frames. real: the footage itself."""

    model: str
    frames: np.ndarray
    keypoints: np.ndarray
    confidence: np.ndarray
    real: bool = False


@dataclass(frozen=True)
class Measured:
    """row: clip, speaker, split, model and every measure. psnr: (T,). shifts: (31,) mean distances, or None."""

    row: dict[str, Value]
    psnr: np.ndarray
    shifts: np.ndarray | None


def measure(take: Take, stretch: Stretch, expert: SyncExpert | None) -> Measured:
    """Every measure of a take. What cannot be measured, or compares real footage with itself, is None."""
    made, real = (take.keypoints, take.confidence), (stretch.keypoints, stretch.confidence)
    psnr = pictures.psnr(take.frames, stretch.frames)
    shifts = None if expert is None else sync_distances(take, stretch, expert)
    shut, spoken = lips.bilabial_closure(*made, stretch.phones, stretch.fps, stretch.start)
    row: dict[str, Value] = {
        "clip": stretch.clip,
        "speaker": stretch.speaker,
        "split": SPLITS[0] if stretch.seen else SPLITS[1],
        "model": take.model,
        "psnr": None if take.real else float(psnr.mean()),
        "ssim": None if take.real else float(pictures.ssim(take.frames, stretch.frames).mean()),
        "lmd": None if take.real else _mean(lips.lmd(*made, *real)),
        "hand_pck": None if take.real else hands.hand_pck(*made, *real),
        "bilabial_closure": shut / spoken if spoken else None,
        "bilabials": spoken,
        "hkc": hands.hkc(take.confidence),
        "hand_missing": hands.hand_missing(take.confidence),
        "hkv": hands.hkv(*made),
        "flicker": pictures.flicker(take.frames),
        "face_missing": float(1 - lips.face_found(take.confidence).mean()),
        "sync_c": None,
        "sync_d": None,
        "sync_offset": None,
    }
    if shifts is not None:
        score = sync.score_of(shifts)
        row |= {"sync_c": score.confidence, "sync_d": score.distance, "sync_offset": score.offset}
    return Measured(row, psnr, shifts)


@torch.no_grad()
def sync_distances(take: Take, stretch: Stretch, expert: SyncExpert) -> np.ndarray | None:
    """Mean distance of the take's lips to the clip's speech at every shift, (31,); None where the clip is too short."""
    count = len(take.frames) - WINDOW + 1
    if count < 1 or stretch.start + count <= sync.REACH or stretch.start + sync.REACH > len(stretch.mel) - WINDOW:
        return None
    device = expert.mel_mean.device
    crops = torch.from_numpy(mouth_crops(take.frames, take.keypoints)).permute(0, 3, 1, 2).float() / 255
    mel = torch.from_numpy(stretch.mel)
    lips_ND, speech_MD = expert.embed_clip(crops.to(device), mel.to(device))
    return sync.shift_distances(lips_ND.cpu().numpy(), speech_MD.cpu().numpy(), stretch.start)


def summarise(rows: Sequence[Mapping[str, Value]], reasons: Mapping[str, str]) -> dict[str, Any]:
    """Means over clips of one model, overall and for people seen and not seen in training.

    Closure is pooled over phones, the sync offset is the mean of absolute values. A measure that no clip has is None,
    and `reasons` of the result says why; `reasons` as given goes before the general ones.
    """
    summary: dict[str, Any] = _means(rows)
    for split in SPLITS:
        summary[split] = _means([row for row in rows if row["split"] == split])
    summary |= dict.fromkeys(UNAVAILABLE)
    general = {"bilabial_closure": "no p, b or m with times in the stretches", "hkv": "no hand was found twice"}
    general |= {"lmd": "no face was found", "hand_pck": "no real hand was found"}
    general |= dict.fromkeys(("sync_c", "sync_d", "sync_offset"), "the clips are too short for shifts of 15 frames")
    known = {**general, **UNAVAILABLE, **reasons}
    summary["reasons"] = [  # a list: `dvc metrics` leaves lists out of its tables
        {"measure": name, "reason": known.get(name, "could not be measured on any clip")}
        for name, value in summary.items()
        if value is None
    ]
    return summary


def _means(rows: Sequence[Mapping[str, Value]]) -> dict[str, Any]:
    means: dict[str, Any] = {"clips": len(rows)}
    for measure in MEASURES:
        values = [(float(row[measure.key]), row) for row in rows if row[measure.key] is not None]  # type: ignore[arg-type]
        if not values:
            means[measure.key] = None
        elif measure.key == "bilabial_closure":
            counts = [float(row["bilabials"]) for _, row in values]  # type: ignore[arg-type]
            means[measure.key] = float(np.average([value for value, _ in values], weights=counts))
        elif measure.key == "sync_offset":
            means[measure.key] = float(np.mean([abs(value) for value, _ in values]))
        else:
            means[measure.key] = float(np.mean([value for value, _ in values]))
    return means


def _mean(values: np.ndarray) -> float | None:
    """Without NaN; None where nothing is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None

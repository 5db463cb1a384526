"""All measures of one take of a held-out stretch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cospeech.evaluation.networks_bundle import Judges
from cospeech.evaluation.region_metrics import region_metrics
from cospeech.evaluation.segments import Stretch, Take
from cospeech.metric_networks.i3d import LEAST_FRAMES
from cospeech.metrics import hands, image, lips, sync
from cospeech.metrics.control import QUANTITIES, Control, control
from cospeech.metrics.identity import expression_distance, identity_similarity
from cospeech.metrics.lips import LipEvents, lip_events
from cospeech.metrics.registry import CONTROLS, MEASURES
from cospeech.models.perception.sync import WINDOW

Value = float | int | str | bool | None


@dataclass(frozen=True)
class Measured:
    """row: clip, speaker, split, model and every measure a clip has. psnr: (T,). shifts: (31,) mean distances, or None.
    controls: by quantity, none where nobody looked close. lip_events: closures and openings, None likewise. features:
    by measure (fid: (T, 2048), fvd: (1, 400)) what its network sees, for distances of whole sets."""

    row: dict[str, Value]
    psnr: np.ndarray
    shifts: np.ndarray | None
    controls: Mapping[str, Control] = field(default_factory=dict)
    lip_events: LipEvents | None = None
    features: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class RealFeatures:
    """What networks make of a real stretch, once for all takes of it; None where the network is not there.

    speech: embeddings of the whole clip. identity: (T, D). expression: (T, 52).
    """

    speech: np.ndarray | None
    identity: np.ndarray | None
    expression: np.ndarray | None

    @classmethod
    def of(cls, stretch: Stretch, judges: Judges) -> "RealFeatures":
        picture = stretch.frames, stretch.track.keypoints
        return cls(
            speech=judges.sync.speech(stretch.sound) if judges.sync else None,
            identity=judges.identity(*picture) if judges.identity else None,
            expression=judges.expression(*picture) if judges.expression else None,
        )


def measure(take: Take, stretch: Stretch, judges: Judges, real: RealFeatures) -> Measured:
    """Every measure of a take. What cannot be measured, or compares real footage with itself, is None."""
    psnr = image.psnr(take.frames, stretch.frames)
    shifts = None if real.speech is None else lip_shifts(take, stretch, judges, real.speech)
    shut, spoken = lips.bilabial_closure(take.track, stretch.phones, stretch.fps, stretch.start)
    controls = _controls(take, stretch)
    events = None
    if take.close_up is not None:
        events = lip_events(take.close_up, stretch.track, stretch.phones, stretch.fps, stretch.start)
    row: dict[str, Value] = {
        "clip": stretch.clip,
        "speaker": stretch.speaker,
        "split": stretch.split,
        "model": take.model,
        **dict.fromkeys(measure.key for measure in MEASURES),
        **{key: getattr(controls[quantity], part) for key, (quantity, part) in CONTROLS.items() if controls},
        **({} if take.real else _against_truth(take, stretch, judges, real, psnr)),
        "bilabial_closure": shut / spoken if spoken else None,
        "bilabials": spoken,
        "hkc": hands.hkc(take.track),
        "hand_missing": hands.hand_missing(take.track),
        "hkv": hands.hkv(take.track),
        "flicker": image.flicker(take.frames),
        "face_missing": float(1 - lips.face_found(take.track).mean()),
        **_sync(shifts),
    }
    return Measured(row, psnr, shifts, controls, events, _features(take, judges))


def _controls(take: Take, stretch: Stretch) -> dict[str, Control]:
    if take.close_up is None:
        return {}
    return {quantity.key: control(quantity, take.close_up, stretch.track) for quantity in QUANTITIES}


def _against_truth(
    take: Take, stretch: Stretch, judges: Judges, real: RealFeatures, psnr: np.ndarray
) -> dict[str, Value]:
    return {
        "psnr": float(psnr.mean()),
        "ssim": float(image.ssim(take.frames, stretch.frames).mean()),
        "lpips": float(judges.lpips(take.frames, stretch.frames).mean()) if judges.lpips else None,
        "lmd": _mean(lips.lmd(take.track, stretch.track)),
        "hand_pck": hands.hand_pck(take.track, stretch.track),
        "identity": _identity(take, stretch, judges, real),
        "expression": _expression(take, stretch, judges, real),
        **region_metrics(take, stretch, judges.lpips),
    }


def _identity(take: Take, stretch: Stretch, judges: Judges, real: RealFeatures) -> float | None:
    if judges.identity is None or real.identity is None:
        return None
    found = lips.face_found(take.track) & lips.face_found(stretch.track)
    return identity_similarity(judges.identity(take.frames, take.track.keypoints), real.identity, found)


def _expression(take: Take, stretch: Stretch, judges: Judges, real: RealFeatures) -> float | None:
    """The drawn face is looked for where the real one is."""
    if judges.expression is None or real.expression is None:
        return None
    made = judges.expression(take.frames, stretch.track.keypoints)
    return expression_distance(made, real.expression, ~np.isnan(made[:, 0]) & ~np.isnan(real.expression[:, 0]))


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

"""How far drawn pictures do what poses ask, by quantity and model: of all clips, and clip by clip."""

from collections.abc import Mapping, Sequence

import numpy as np

from cospeech.evaluation.clip_metrics import Measured
from cospeech.metrics.control import QUANTITIES, Control
from cospeech.utils.json_types import JSONObject

NAMES = {
    "codec": "codec", "teacher": "teacher", "student": "student", "copy_reference": "still", "ground_truth": "truth",
}  # fmt: skip
"""Models as control calls them: the codec alone is the limit of what latents can show, the real frames are the limit of
the detector, and a picture that stands still is the floor."""
_NEVER = "the pose hardly asks for it in any clip"


def control_tables(measured: Sequence[Measured]) -> JSONObject:
    """`control`: by quantity and model the means over the clips in which the pose asks for it, and how many those are.
    `control_clips`: a list, a row a clip and quantity, with the reason where it is not measured."""
    by_clip: dict[str, dict[str, Mapping[str, Control]]] = {}
    for each in measured:
        if each.controls:
            by_clip.setdefault(str(each.row["clip"]), {})[NAMES[str(each.row["model"])]] = each.controls
    keys = [quantity.key for quantity in QUANTITIES]
    return {
        "control": {key: _means(key, list(by_clip.values())) for key in keys},
        "control_clips": [_row(clip, key, models) for clip, models in by_clip.items() for key in keys],
    }


def _means(key: str, clips: Sequence[Mapping[str, Mapping[str, Control]]]) -> JSONObject:
    table: JSONObject = {}
    for name in NAMES.values():
        known = [models[name][key] for models in clips if name in models and models[name][key].reason is None]
        slope, correlation = (_mean([getattr(each, part) for each in known]) for part in ("slope", "correlation"))
        table[name] = {"slope": slope, "correlation": correlation, "clips": len(known)}
    return table if any(each["clips"] for each in table.values()) else {**table, "reason": _NEVER}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _row(clip: str, key: str, models: Mapping[str, Mapping[str, Control]]) -> JSONObject:
    controls = {name: each[key] for name, each in models.items()}
    found = {name: {"slope": each.slope, "correlation": each.correlation} for name, each in controls.items()}
    return {"clip": clip, "quantity": key, "reason": next(iter(controls.values())).reason, **found}

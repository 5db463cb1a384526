"""From clips to models: means with intervals, measures of whole sets, and what student and teacher differ in."""

from collections.abc import Mapping, Sequence

import numpy as np

from cospeech.evaluation.clip_metrics import Measured, Value
from cospeech.evaluation.segments import SPLITS
from cospeech.metrics.distributions import frechet_distance
from cospeech.metrics.lips import closure_score
from cospeech.metrics.registry import ABSOLUTE, CONTROLS, MEASURES, SEEN_THROUGH, UNAVAILABLE, WEIGHTS
from cospeech.metrics.uncertainty import estimate, paired_difference
from cospeech.utils.json_types import JSONObject

Rows = Sequence[Mapping[str, Value]]
_GENERAL = {
    **dict.fromkeys(CONTROLS, "the pose hardly asks for it in any clip; `control` says by how much"),
    "bilabial_closure": "no p, b or m with times in the stretches",
    "closure_f": "no p, b or m with times in the stretches, or no opening between them",
    **dict.fromkeys(("lpips_hands", "sharpness_hands"), "no real hand was found"),
    "hkv": "no hand was found twice",
    "lmd": "no face was found",
    "hand_pck": "no real hand was found",
    **dict.fromkeys(("identity", "expression", "lpips_face", "lpips_mouth", "sharpness_face"), "no face was found"),
    "fid": "there are fewer than two frames",
    "fvd": "there are fewer than two stretches of 9 frames or more",
    **dict.fromkeys(("sync_c", "sync_d", "sync_offset"), "the clips are too short for shifts of 15 frames"),
}


def summarise(rows: Rows, reasons: Mapping[str, str], seed: int) -> JSONObject:
    """Means over clips of one model, overall with intervals, and for people seen and not seen in training.

    Closure is pooled over phones, the sync offset is the mean of absolute values. `interval` has the 95% bootstrap
    interval over clips. A measure that no clip has is None, and `reasons` says why; `reasons` as given goes before the
    general ones.
    """
    summary: JSONObject = {"clips": len(rows), **_means(rows)}
    found = {measure.key: estimate(*_values(rows, measure.key), seed) for measure in MEASURES}
    summary["interval"] = {key: [each.low, each.high] for key, each in found.items() if each is not None}
    for split in SPLITS:
        part = [row for row in rows if row["split"] == split]
        summary[split] = {"clips": len(part), **_means(part)}
    return {**summary, **dict.fromkeys(UNAVAILABLE), "reasons": dict(reasons)}


def with_set_measures(
    summary: JSONObject, made: Sequence[Measured], real: Sequence[Measured], itself: bool
) -> JSONObject:
    """`summary` with what is measured of all clips together (SET_MEASURES), and the reasons of what is None as a list.

    A list, since `dvc metrics` leaves lists out of its tables.
    """
    events = [each.lip_events for each in made if each.lip_events is not None]
    summary["closure_f"] = closure_score(events) if events else None
    for measure in ("fid", "fvd"):
        sets = [[each.features[measure] for each in part if measure in each.features] for part in (made, real)]
        known = all(sets) and not itself
        summary[measure] = frechet_distance(*(np.concatenate(each) for each in sets)) if known else None
    known_reasons = {**_GENERAL, **UNAVAILABLE, **summary["reasons"]}
    summary["reasons"] = [
        {"measure": name, "reason": known_reasons.get(name, "could not be measured on any clip")}
        for name, value in summary.items()
        if value is None
    ]
    return summary


def difference(ours: Rows, theirs: Rows, seed: int) -> JSONObject:
    """`ours` minus `theirs`, clip by clip: means, and the interval of each over clips."""
    result: JSONObject = {"clips": len(ours), "interval": {}}
    other = {row["clip"]: row for row in theirs}
    for measure in MEASURES:
        pairs = [(row, other[row["clip"]]) for row in ours if _known(row, measure.key, other)]
        if not pairs:
            continue
        a, b = (np.array([_value(pair[side], measure.key) for pair in pairs]) for side in (0, 1))
        weights = np.array([(_weight(x, measure.key) + _weight(y, measure.key)) / 2 for x, y in pairs])
        found = paired_difference(a, b, weights, seed)
        assert found is not None
        result[measure.key] = found.mean
        result["interval"][measure.key] = [found.low, found.high]
    return result


def missing_weights(given: Mapping[str, str]) -> dict[str, str]:
    """Why measures are None whose published weights are not among `given`."""
    absent = {key: reason for key, reason in WEIGHTS.items() if key not in given}
    return {measure: reason for key, reason in absent.items() for measure in SEEN_THROUGH.get(key, (key,))}


def _known(row: Mapping[str, Value], key: str, other: Mapping[Value, Mapping[str, Value]]) -> bool:
    return row["clip"] in other and row[key] is not None and other[row["clip"]][key] is not None


def _means(rows: Rows) -> dict[str, float | None]:
    series = {measure.key: _values(rows, measure.key) for measure in MEASURES}
    return {
        key: float(np.average(values, weights=weights)) if len(values) else None
        for key, (values, weights) in series.items()
    }


def _values(rows: Rows, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and weights of the clips that have one."""
    known = [row for row in rows if row[key] is not None]
    return np.array([_value(row, key) for row in known]), np.array([_weight(row, key) for row in known])


def _value(row: Mapping[str, Value], key: str) -> float:
    value = float(row[key])  # type: ignore[arg-type]
    return abs(value) if key in ABSOLUTE else value


def _weight(row: Mapping[str, Value], key: str) -> float:
    return float(row["bilabials"]) if key == "bilabial_closure" else 1.0  # type: ignore[arg-type]

"""Whether a new model may replace the one in production: paired differences over the same held-out clips.

Axes: N clips.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from cospeech.metrics.registry import ABSOLUTE
from cospeech.metrics.uncertainty import estimate

Rows = Mapping[str, Mapping[str, float | None]]
"""clip -> measure -> value; None where it could not be measured."""


@dataclass(frozen=True)
class Rule:
    """The gain (candidate minus production, turned so that more is better) must lie above `margin` with the gate's
    confidence. A negative margin is a loss that is put up with."""

    measure: str
    better: Literal["higher", "lower"]
    margin: float


@dataclass(frozen=True)
class Gate:
    """clips: least number that both are measured on. confidence: of the interval. resamples: of the bootstrap."""

    rules: tuple[Rule, ...]
    confidence: float
    resamples: int
    clips: int


@dataclass(frozen=True)
class Comparison:
    """One rule applied. gain, low, high: mean over clips and its interval; None where nothing could be compared."""

    rule: Rule
    clips: int
    candidate: float | None
    production: float | None
    gain: float | None
    low: float | None
    high: float | None
    problem: str | None

    @property
    def passed(self) -> bool:
        return self.problem is None and (self.low is None or self.low > self.rule.margin)

    @property
    def sentence(self) -> str:
        name = self.rule.measure
        if self.problem is not None:
            return f"{name}: {self.problem}"
        if self.gain is None:
            return f"{name} {self.candidate:.4g} on {self.clips} clips"
        verdict = "above" if self.passed else "not above"
        return (
            f"{name} {self.candidate:.4g} against {self.production:.4g}, gain {self.gain:+.3g} "
            f"({self.low:+.3g} to {self.high:+.3g} on {self.clips} clips), {verdict} {self.rule.margin:+g}"
        )


@dataclass(frozen=True)
class Decision:
    promote: bool
    reason: str
    comparisons: tuple[Comparison, ...] = ()


def decide(candidate: Rows, production: Rows | None, gate: Gate) -> Decision:
    """Promote only what every rule lets through; without a model in production, whatever is measured.

    Both must have been measured on the same clips in the same way: gather `production` anew for each decision.
    """
    if production is not None and set(production) != set(candidate):
        odd = sorted(set(production) ^ set(candidate))
        return Decision(False, f"kept: the two were not measured on the same clips ({', '.join(odd[:5])})")
    comparisons = tuple(_compare(rule, candidate, production, gate) for rule in gate.rules)
    failed = [each.sentence for each in comparisons if not each.passed]
    if failed:
        return Decision(False, "kept: " + "; ".join(failed), comparisons)
    first = "promoted, the first: " if production is None else "promoted: "
    return Decision(True, first + "; ".join(each.sentence for each in comparisons), comparisons)


def _compare(rule: Rule, candidate: Rows, production: Rows | None, gate: Gate) -> Comparison:
    ours = {clip: row.get(rule.measure) for clip, row in candidate.items()}
    theirs = {clip: row.get(rule.measure) for clip, row in production.items()} if production is not None else ours
    clips = sorted(clip for clip, value in theirs.items() if value is not None)
    lost = [clip for clip in clips if ours[clip] is None]
    problem = None
    if lost:
        problem = f"could not be measured on {', '.join(lost[:3])}, where the model in production could"
    elif len(clips) < gate.clips:
        problem = f"measured on {len(clips)} clips, at least {gate.clips} are needed"
    if problem or production is None:
        known = [value for value in ours.values() if value is not None]
        mean = float(np.mean(known)) if known else None
        return Comparison(rule, len(clips), mean, None, None, None, None, problem)
    ours_N = np.array([ours[clip] for clip in clips], np.float64)
    theirs_N = np.array([theirs[clip] for clip in clips], np.float64)
    gain_N = (ours_N - theirs_N) * (1 if rule.better == "higher" else -1)
    gain = estimate(gain_N, np.ones(len(gain_N)), 0, gate.resamples, gate.confidence)
    assert gain is not None
    return Comparison(
        rule, len(clips), float(ours_N.mean()), float(theirs_N.mean()), gain.mean, gain.low, gain.high, None
    )


def read_rows(path: Path, model: str) -> dict[str, dict[str, float | None]]:
    """The rows of one model in reports/plots/clips.csv.

    Raises:
        ValueError: the file is absent, or names no clip of that model.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; run evaluate (dvc repro evaluate)")
    table = pd.read_csv(path)
    table = table[table["model"] == model]
    if table.empty:
        raise ValueError(f"{path}: no clip measured for {model}")
    numbers = table.set_index("clip").select_dtypes("number")
    return {
        str(clip): {str(key): _value(str(key), value) for key, value in row.items()}
        for clip, row in numbers.to_dict("index").items()
    }


def _value(key: str, value: Any) -> float | None:
    if pd.isna(value):
        return None
    return abs(float(value)) if key in ABSOLUTE else float(value)

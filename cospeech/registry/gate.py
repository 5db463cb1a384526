"""Decide whether a new model replaces the one in production, by paired differences over the same held-out clips.

Axes: N clips.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from cospeech.metrics.registry import ABSOLUTE, WEIGHTS
from cospeech.metrics.uncertainty import estimate

Rows = Mapping[str, Mapping[str, float | None]]
"""clip -> measure -> value; None where it could not be measured."""


@dataclass(frozen=True)
class Rule:
    """A requirement on one measure.

    The gain (candidate minus production, signed so that higher is better; of `one`, how much nearer to 1) must exceed
    `margin` with the gate's confidence. A negative margin is a tolerated regression.
    """

    measure: str
    better: Literal["higher", "lower", "one"]
    margin: float

    def goodness(self, values: np.ndarray) -> np.ndarray:
        """The values, so that higher is better."""
        return {"higher": values, "lower": -values, "one": -np.abs(values - 1)}[self.better]


@dataclass(frozen=True)
class Gate:
    """The rules, and how to test them.

    confidence: of the interval of the gain. resamples: of the bootstrap. clips: least number of clips on which both
    models are measured.
    """

    rules: tuple[Rule, ...]
    confidence: float
    resamples: int
    clips: int


@dataclass(frozen=True)
class Comparison:
    """The outcome of one rule.

    clips: number compared. candidate, production: means of the measure. gain, low, high: mean gain and its interval;
    None if nothing could be compared. problem: why the rule could not be applied.
    """

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
        """Whether the rule is met."""
        return self.problem is None and (self.low is None or self.low > self.rule.margin)

    @property
    def sentence(self) -> str:
        """The outcome in words, for reasons."""
        name = self.rule.measure
        if self.problem is not None:
            return f"{name}: {self.problem}"
        if self.candidate is None:
            return f"{name} left out, measured of no model"
        if self.gain is None:
            return f"{name} {self.candidate:.4g} on {self.clips} clips"
        verdict = "above" if self.passed else "not above"
        return (
            f"{name} {self.candidate:.4g} against {self.production:.4g}, gain {self.gain:+.3g} "
            f"({self.low:+.3g} to {self.high:+.3g} on {self.clips} clips), {verdict} {self.rule.margin:+g}"
        )


@dataclass(frozen=True)
class Decision:
    """Whether to promote the candidate, why, and the comparisons behind it."""

    promote: bool
    reason: str
    comparisons: tuple[Comparison, ...] = ()


def decide(candidate: Rows, production: Rows | None, gate: Gate) -> Decision:
    """Promote the candidate if it passes every rule; without a model in production, if every rule can be measured.

    Both models must be measured on the same clips in the same way: measure `production` again for each decision.
    """
    if production is not None and set(production) != set(candidate):
        different = sorted(set(production) ^ set(candidate))
        return Decision(False, f"kept: the models were measured on different clips ({', '.join(different[:5])})")
    comparisons = tuple(_compare(rule, candidate, production, gate) for rule in gate.rules)
    failed = [each.sentence for each in comparisons if not each.passed]
    if failed:
        return Decision(False, "kept: " + "; ".join(failed), comparisons)
    prefix = "promoted, the first: " if production is None else "promoted: "
    return Decision(True, prefix + "; ".join(each.sentence for each in comparisons), comparisons)


def _compare(rule: Rule, candidate: Rows, production: Rows | None, gate: Gate) -> Comparison:
    ours = {clip: row.get(rule.measure) for clip, row in candidate.items()}
    theirs = {clip: row.get(rule.measure) for clip, row in production.items()} if production is not None else ours
    clips = sorted(clip for clip, value in theirs.items() if value is not None)
    lost = [clip for clip in clips if ours[clip] is None]
    absent = rule.measure in WEIGHTS and not clips and all(value is None for value in ours.values())
    problem = None
    if lost:
        problem = f"could not be measured on {', '.join(lost[:3])}, where the model in production could"
    elif len(clips) < gate.clips and not absent:  # absent: the network that it looks through, for either model
        problem = f"measured on {len(clips)} clips, fewer than gate.clips {gate.clips}"
    if problem or absent or production is None:
        known = [value for value in ours.values() if value is not None]
        mean = float(np.mean(known)) if known else None
        return Comparison(rule, len(clips), mean, None, None, None, None, problem)
    ours_N = np.array([ours[clip] for clip in clips], np.float64)
    theirs_N = np.array([theirs[clip] for clip in clips], np.float64)
    gain_N = rule.goodness(ours_N) - rule.goodness(theirs_N)
    gain = estimate(gain_N, np.ones(len(gain_N)), 0, gate.resamples, gate.confidence)
    assert gain is not None
    return Comparison(
        rule, len(clips), float(ours_N.mean()), float(theirs_N.mean()), gain.mean, gain.low, gain.high, None
    )


def read_rows(path: Path, model: str) -> dict[str, dict[str, float | None]]:
    """Read the rows of one model from reports/plots/clips.csv.

    Raises:
        ValueError: the file is absent, or has no row of that model.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; run evaluate (dvc repro evaluate)")
    table = pd.read_csv(path)
    table = table[table["model"] == model]
    if table.empty:
        raise ValueError(f"{path}: no row for model {model}")
    numbers = table.set_index("clip").select_dtypes("number")
    return {
        str(clip): {str(key): _value(str(key), value) for key, value in row.items()}
        for clip, row in numbers.to_dict("index").items()
    }


def _value(key: str, value: float) -> float | None:
    if pd.isna(value):
        return None
    return abs(float(value)) if key in ABSOLUTE else float(value)

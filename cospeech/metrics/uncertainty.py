"""How sure a mean over clips is: bootstrap over clips.

Clips, not frames, are drawn anew: frames of a clip are alike. Clips of one person are alike too, so with few people the
true uncertainty over people is wider than this.

Axes: N clips, R resamples.
"""

from dataclasses import dataclass

import numpy as np

RESAMPLES = 4000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """mean over clips; low, high: the interval that holds it at the level asked for; clips: how many."""

    mean: float
    low: float
    high: float
    clips: int


def estimate(
    values_N: np.ndarray, weights_N: np.ndarray, seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> Estimate | None:
    """The weighted mean over clips and its percentile bootstrap interval: the quantiles (1 - level) / 2 and
    (1 + level) / 2 of sum w x / sum w over clips drawn with replacement (Efron and Tibshirani 1993, chapter 13).

    The same seed and number of clips draw the same clips, whatever the values. (N,) finite; None where there is none.
    An interval of one clip is that clip: it says nothing.
    """
    count = len(values_N)
    if not count:
        return None
    drawn_RN = np.random.default_rng(seed).integers(count, size=(resamples, count))
    means = (weights_N * values_N)[drawn_RN].sum(1) / weights_N[drawn_RN].sum(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(np.average(values_N, weights=weights_N)), float(low), float(high), count)


def paired_difference(ours_N: np.ndarray, theirs_N: np.ndarray, weights_N: np.ndarray, seed: int) -> Estimate | None:
    """`ours` minus `theirs` on the same clips: what the clips have in common drops out of the interval. (N,) each."""
    if ours_N.shape != theirs_N.shape:
        raise ValueError(f"a paired difference needs the same clips: {len(ours_N)} against {len(theirs_N)}")
    return estimate(ours_N - theirs_N, weights_N, seed)

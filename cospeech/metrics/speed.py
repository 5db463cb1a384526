"""Speed from timed runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SpeedSummary:
    """fps: frames per second of the median frame, higher is better. median_ms, p95_ms: milliseconds a frame."""

    fps: float
    median_ms: float
    p95_ms: float


def summarise(seconds: Sequence[float], frames: Sequence[int]) -> SpeedSummary:
    """Median and 95th percentile (linear between ranks) over runs of the time a frame takes.

    seconds: of each run, warm-up left out by the caller. frames: how many each made.
    """
    if not seconds or len(seconds) != len(frames):
        raise ValueError(f"{len(seconds)} timings for {len(frames)} runs; at least one of each is needed")
    per_frame = np.asarray(seconds, np.float64) / np.asarray(frames)
    median, p95 = np.percentile(per_frame, [50, 95])
    return SpeedSummary(float(1 / median), float(1000 * median), float(1000 * p95))

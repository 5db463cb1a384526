"""Mix several channels of sound to one; footage, input files and uploads all use this."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import av

_WEIGHTS = {"FC": 2.0, "FL": 1.0, "FR": 1.0, "LFE": 0.0, "LFE2": 0.0}
"""Weights of channels. The centre weighs as much as left and right together, where a centred voice is equally loud."""
_OTHER = 0.5
"""Weight of any other channel."""
_OPPOSED = 8.0
"""Right is inverted once left - right has this many times the power of left + right (a correlation of -0.78)."""
_HALF_LIFE = 1.0
"""Seconds after which sound counts half in that comparison."""


class Downmix:
    """Mix the frames of one stream, in order, by a weighted mean, which is never louder than the loudest channel.

    Left and right of opposite polarity, as from a wrongly wired microphone, would cancel, so right is inverted first.
    """

    def __init__(self) -> None:
        self._sum = self._difference = 0.0
        self._opposed = False

    def mix(self, frame: "av.AudioFrame") -> "av.AudioFrame":
        """Return a mono frame as it is, another one mixed to mono fltp with the same time and rate."""
        import av

        if frame.layout.nb_channels == 1:
            return frame
        planar = av.AudioResampler("fltp").resample(frame)
        samples = np.concatenate([part.to_ndarray() for part in planar], axis=1)
        names = [channel.name for channel in frame.layout.channels]
        if len(names) == 2:
            names = ["FL", "FR"]
        if "FL" in names and "FR" in names:
            right = names.index("FR")
            if self._are_opposed(samples[names.index("FL")], samples[right], frame.sample_rate):
                samples[right] = -samples[right]
        weights = np.array([_WEIGHTS.get(name, _OTHER) for name in names], np.float32)
        mono = (samples * (weights / weights.sum())[:, None]).sum(0, keepdims=True)
        mixed = av.AudioFrame.from_ndarray(mono, "fltp", "mono")
        mixed.sample_rate, mixed.pts, mixed.time_base = frame.sample_rate, frame.pts, frame.time_base
        return mixed

    def _are_opposed(self, left: np.ndarray, right: np.ndarray, rate: int) -> bool:
        kept = 0.5 ** (len(left) / rate / _HALF_LIFE)
        self._sum = kept * self._sum + float(np.square(left + right, dtype=np.float64).sum())
        self._difference = kept * self._difference + float(np.square(left - right, dtype=np.float64).sum())
        self._opposed = self._difference > (1.0 if self._opposed else _OPPOSED) * self._sum
        return self._opposed

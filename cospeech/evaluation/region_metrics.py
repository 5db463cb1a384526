"""Measures of what people look at: face, mouth and hands cut out where the real keypoints have them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cospeech.evaluation.segments import Stretch, Take
from cospeech.metric_networks.lpips import Lpips
from cospeech.metrics.crops import cut, square_boxes
from cospeech.metrics.image import sharpness
from cospeech.pose import skeleton as sk


@dataclass(frozen=True)
class Region:
    """parts: keypoints of each. room: side of the square in sizes of their box. side: pixels that LPIPS sees it at."""

    parts: tuple[np.ndarray, ...]
    room: float
    side: int

    def crops(self, take: Take, stretch: Stretch, side: int | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Drawn and real, (S, H, W, 3) uint8 each, part by part: the frames in which all of its keypoints are found.

        side: that they are resized to; None: as large as they are.
        """
        for part in self.parts:
            frames = np.flatnonzero(stretch.track.found[:, part].all(1))
            if len(frames):
                boxes = square_boxes(stretch.track.keypoints[frames][:, part], self.room)
                made, real = (cut(each.frames[frames], boxes, side) for each in (take, stretch))
                yield made, real


REGIONS = {
    "face": Region((sk.FACE,), 1.3, 128),
    "mouth": Region((sk.MOUTH,), 2.0, 64),
    "hands": Region((sk.LEFT_HAND, sk.RIGHT_HAND), 1.3, 128),
}
"""LPIPS was trained on squares of 64 pixels; a mouth is enlarged to that."""
SHARP = ("face", "hands")


def region_metrics(take: Take, stretch: Stretch, lpips: Lpips | None) -> dict[str, float | None]:
    """`lpips_REGION` and `sharpness_REGION`; None where the pose never has the region, or the network is not there."""
    values = {f"lpips_{name}": _lpips(region, take, stretch, lpips) for name, region in REGIONS.items()}
    return values | {f"sharpness_{name}": _sharpness(REGIONS[name], take, stretch) for name in SHARP}


def _lpips(region: Region, take: Take, stretch: Stretch, lpips: Lpips | None) -> float | None:
    """Mean over frames and parts."""
    if lpips is None:
        return None
    distances = [lpips(*pair) for pair in region.crops(take, stretch, region.side)]
    return float(np.concatenate(distances).mean()) if distances else None


def _sharpness(region: Region, take: Take, stretch: Stretch) -> float | None:
    pairs = list(region.crops(take, stretch, None))
    made, real = ([picture for pair in pairs for picture in pair[place]] for place in (0, 1))
    return sharpness(made, real)

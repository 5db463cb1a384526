"""Strips of mouths and of hands, enlarged: whoever looks at them sees at once what the pose's words became.

Rows are the truth, the codec alone, teacher and student; columns every third frame.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from cospeech.evaluation.region_metrics import REGIONS, Region
from cospeech.evaluation.segments import TRUTH, Stretch, Take
from cospeech.media import save_png
from cospeech.metrics.crops import cut, square_boxes

ROWS = {"truth": TRUTH, "codec": "codec", "teacher": "teacher", "student": "student"}
EVERY = 3
STRIPS = {"mouths": (REGIONS["mouth"], 120), "hands": (REGIONS["hands"], 96)}
"""By name: what is cut out, and pixels a side of a piece."""
_LABEL = 64
_INK, _PAPER = (40, 40, 40), 245


def write_strips(folder: Path, stretches: Sequence[Stretch], takes: Sequence[Mapping[str, Take]]) -> None:
    """`folder`/mouths/CLIP.png and `folder`/hands/CLIP.png of every clip in whose frames the pose has them."""
    for name, (region, side) in STRIPS.items():
        for stretch, made in zip(stretches, takes, strict=True):
            picture = strip(region, side, stretch, made)
            if picture is not None:
                (folder / name).mkdir(parents=True, exist_ok=True)
                save_png(folder / name / f"{stretch.clip}.png", picture)


def strip(region: Region, side: int, stretch: Stretch, made: Mapping[str, Take]) -> np.ndarray | None:
    """(4 * side, W, 3) uint8; the parts of a region beside each other. None where the pose never has it."""
    track = stretch.track
    shown = [part for part in region.parts if track.found[:, part].all(1).any()]
    boxes = [square_boxes(track.keypoints[::EVERY, part], region.room) for part in shown]
    rows = []
    for label, model in ROWS.items():
        parts = [cut(made[model].frames[::EVERY], each, side) for each in boxes]
        rows.append([_label(label, side), *(piece for frame in zip(*parts, strict=True) for piece in frame)])
    return np.concatenate([np.concatenate(row, 1) for row in rows]) if shown else None


def _label(text: str, height: int) -> np.ndarray:
    picture = np.full((height, _LABEL, 3), _PAPER, np.uint8)
    cv2.putText(picture, text, (4, height // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
    return picture

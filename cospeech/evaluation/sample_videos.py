"""Videos and pictures that show takes side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from cospeech.evaluation.segments import Stretch, Take
from cospeech.media import contact_sheet, read_speech, save_png, write_video
from cospeech.pose.drawing import draw_skeletons

_STRIP = 24
_INK, _PAPER = (40, 40, 40), 245
_SHOWN = 4


def write_comparison(path: Path, stretch: Stretch, takes: Mapping[str, Take], ffmpeg: Path | None) -> None:
    """Reference, skeleton, truth, teacher and student in step, with the sound of the stretch."""
    samples, rate = stretch.sound.samples, stretch.sound.rate
    first, last = (round(frame * rate / stretch.fps) for frame in (stretch.start, stretch.stop))
    frames = side_by_side(_columns(stretch, takes))
    write_video(path, frames, stretch.fps, samples[first:last], rate, ffmpeg)


def write_whole(path: Path, speech: Path, frames: np.ndarray, fps: int, start: int, ffmpeg: Path | None) -> None:
    """A clip as the student makes it from frame `start` on, with its sound."""
    samples, rate = read_speech(speech)
    first, last = (round(frame * rate / fps) for frame in (start, start + len(frames)))
    write_video(path, frames, fps, samples[first:last], rate, ffmpeg)


def save_still(path: Path, stretches: Sequence[Stretch], takes: Sequence[Mapping[str, Take]]) -> Path:
    """The middle frame of the first few comparisons, one under the other."""
    shown = zip(stretches[:_SHOWN], takes[:_SHOWN], strict=True)
    rows = [side_by_side(_columns(stretch, made, len(stretch.frames) // 2))[0] for stretch, made in shown]
    save_png(path, contact_sheet(np.stack(rows), 1))
    return path


def side_by_side(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Labelled videos of equal length and size, from left to right: label -> (T, H, W, 3) uint8.

    Returns:
        (T, H + 24, W * columns, 3) uint8.
    """
    labelled = []
    for label, frames in columns.items():
        strip = np.full((_STRIP, frames.shape[2], 3), _PAPER, np.uint8)
        cv2.putText(strip, label, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
        labelled.append(np.concatenate([np.broadcast_to(strip, (len(frames), *strip.shape)), frames], 1))
    return np.concatenate(labelled, 2)


def still(values: np.ndarray, count: int) -> np.ndarray:
    """One frame (or its keypoints) `count` times; read only."""
    return np.broadcast_to(values, (count, *values.shape))


def _columns(stretch: Stretch, takes: Mapping[str, Take], only: int | None = None) -> dict[str, np.ndarray]:
    """Label -> frames of all columns; of the frame `only` if it is given."""
    part = slice(None) if only is None else slice(only, only + 1)
    return {
        "reference": takes["copy_reference"].frames[part],
        "skeleton": draw_skeletons(stretch.track[part]),
        "truth": stretch.frames[part],
        "teacher": takes["teacher"].frames[part],
        "student": takes["student"].frames[part],
    }

"""Score a clip by its pixels: other people, cuts, a moving camera. Computed once per clip, kept in the clip store."""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.files import write_json
from cospeech.pose import skeleton as sk
from cospeech.pose.faces import count_faces
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import load_track

SAMPLES = 8
"""Frames that are searched for faces."""
CORNERS = 12
"""Fewest corners in the background from which camera motion is measured."""
TEXTURE = 5e-4
"""Least eigenvalue of a corner: ten times that of compression noise on a plain wall."""
MOTION = 0.45
"""Largest change that motion makes between two frames; a larger one is a cut, even next to another cut."""
PAIR_SECONDS = 0.2
"""Time between the two frames of a pair."""
RETURN = 0.5
"""Pixels within which a corner tracked forward and back must return; across a cut or behind a hand none does."""
CELLS = 4
"""Fewest cells of a 4 x 4 grid in which the corners must lie: a single moving object is not camera motion."""
_PERSON = [*range(13), *range(23, 133)]
"""All but the legs."""
_HAIR = 0.7
"""Height of the head above the brows, in distances from brows to chin."""


@dataclass(frozen=True)
class VisualJob:
    """One clip to score. video, poses: its files. key: of the clip store."""

    clip: str
    video: Path
    poses: Path
    fps: float
    store: ClipStore
    key: str


def measure_clip(job: VisualJob) -> None:
    """Score one clip and put `visual.json` into the store, in a worker process."""
    import tempfile

    from cospeech.media import read_frames

    cv2.setNumThreads(1)
    frames = read_frames(job.video)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "visual.json"
        write_json(path, measure_visual(frames, load_track(job.poses), job.fps))
        job.store.put(job.key, {path.name: path})


def measure_visual(frames: np.ndarray, track: PoseTrack, fps: float) -> dict[str, float | None]:
    """Score (T, H, W, 3) uint8 RGB; a score that cannot be measured is None."""
    return {
        "second_face": second_face(frames),
        "cut": cut(frames, fps),
        "camera_motion": camera_motion(frames, track, fps),
    }


def second_face(frames: np.ndarray) -> float:
    """Return the share of the sampled frames that show more than one face."""
    chosen = np.linspace(0, len(frames) - 1, min(SAMPLES, len(frames))).round().astype(int)
    return float(np.mean([count > 1 for count in count_faces(frames[chosen])]))


def cut(frames: np.ndarray, fps: float) -> float:
    """Return how far the largest change between consecutive frames exceeds the changes around it, 0..1.4.

    A change is the root of one minus the correlation of grey thumbnails: it ignores brightness and contrast, and grows
    about linearly with motion. A gesture, however fast, has other large changes within 0.2 s; a cut stands alone, also
    a jump cut that leaves person and background in place.
    """
    thumbs = np.stack([cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), (48, 48), interpolation=cv2.INTER_AREA)
                       for f in frames]).reshape(len(frames), -1).astype(np.float64)  # fmt: skip
    thumbs -= thumbs.mean(1, keepdims=True)
    norms = np.maximum(np.linalg.norm(thumbs, axis=1), 1e-6)
    if len(frames) < 2:
        return 0.0
    change = np.sqrt(np.maximum(1 - (thumbs[1:] * thumbs[:-1]).sum(1) / (norms[1:] * norms[:-1]), 0))
    reach = max(round(PAIR_SECONDS * fps), 1)
    padded = np.pad(change, reach)
    around = [padded[reach + step : reach + step + len(change)] for step in range(-reach, reach + 1) if step]
    return float((change - np.minimum(np.max(around, axis=0), MOTION)).max())


def camera_motion(frames: np.ndarray, track: PoseTrack, fps: float) -> float | None:
    """Return the speed of the background in picture widths per second: 90th percentile over frame pairs 0.2 s apart.

    Corners outside the person are tracked forward and back (pyramidal Lucas-Kanade); a pair's speed is the median of
    its corners. Return None if the background has too little texture.
    """
    gap = max(round(PAIR_SECONDS * fps), 1)
    speeds = []
    for first in range(0, len(frames) - gap, gap):
        grey = [cv2.cvtColor(frames[i], cv2.COLOR_RGB2GRAY) for i in (first, first + gap)]
        mask = background_mask(track, (first, first + gap), grey[0].shape[0])
        mask[cv2.cornerMinEigenVal(grey[0], 3) < TEXTURE] = 0
        corners = cv2.goodFeaturesToTrack(grey[0], 100, 0.02, 6, mask=mask)
        if corners is None:
            continue
        moved, found, _ = cv2.calcOpticalFlowPyrLK(grey[0], grey[1], corners, np.empty_like(corners))
        back, found_back, _ = cv2.calcOpticalFlowPyrLK(grey[1], grey[0], moved, np.empty_like(corners))
        returned = np.linalg.norm((back - corners).reshape(-1, 2), axis=1) < RETURN
        followed = (found.reshape(-1) == 1) & (found_back.reshape(-1) == 1) & returned
        cells = np.unique(corners.reshape(-1, 2)[followed] * 4 // grey[0].shape[0], axis=0)
        if followed.sum() >= CORNERS and len(cells) >= CELLS:
            step = np.median((moved - corners).reshape(-1, 2)[followed], axis=0)
            speeds.append(float(np.hypot(*step)) / grey[0].shape[1] * fps / gap)
    return round(float(np.percentile(speeds, 90)), 6) if speeds else None


def background_mask(track: PoseTrack, frames: tuple[int, ...], side: int) -> np.ndarray:
    """Return (side, side) uint8: 255 where the person is in none of `frames`, with a margin for hair and clothes."""
    person = np.zeros((side, side), np.uint8)
    for points in track[list(frames)].resized((side, side)).keypoints:
        body = points[_PERSON]  # points of low confidence too: rather mask too much
        face = points[sk.FACE]
        low, high = face.min(0), face.max(0)
        crown = np.array(
            [
                [x, low[1] - _HAIR * (high[1] - low[1])]
                for x in (1.25 * low[0] - 0.25 * high[0], 1.25 * high[0] - 0.25 * low[0])
            ]
        )
        below = points[sk.SHOULDERS] * np.array([1, 0]) + np.array([0, side])
        hull = cv2.convexHull(np.concatenate([body, crown, below]).clip(-side, 2 * side).astype(np.float32))
        cv2.fillConvexPoly(person, hull.round().astype(np.int32), 255)
    margin = math.ceil(0.08 * side)
    return cv2.bitwise_not(cv2.dilate(person, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)))

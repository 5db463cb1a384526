"""How regions cover people: lines, boxes and a deformed rest pose: `python -m benchmarks.regions --clips CLIP ...`.

What is on the body is MediaPipe's selfie segmentation; face and hands are the hulls of their keypoints, arms a band
along the limbs (which favours lines), the finer first as in the regions. Writes reports/benchmarks/regions.json.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from cospeech.attention.plan import UPPER_BODY, AttentionPlan, alignment_error, kept_share, past_frames
from cospeech.harness.files import write_json
from cospeech.media import read_frames
from cospeech.pose import regions as rg
from cospeech.pose import skeleton as sk
from cospeech.pose.detectors import build_detector
from cospeech.pose.mediapipe import MediaPipeOptions
from cospeech.pose.track import PoseTrack

GRIDS = ((16, 16), (32, 32))
WINDOW, PAST = 24, 2
MEASURES = ("body", "face", "hands", "arms", "on_body", "pairs")
_BAND = 0.16
"""Width of an arm, shoulder widths."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    clips = [Path(f"data/demo/clips/{name}.mp4") for name in ("ines-1", "kwame-2")]
    parser.add_argument("--clips", type=Path, nargs="+", default=clips)
    parser.add_argument("--every", type=int, default=12, help="frames between two that are measured")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/regions.json"))
    options = parser.parse_args()
    found: dict[tuple[int, str], list[list[float]]] = {}
    for clip in options.clips:
        for key, shares in measure(clip, options.every).items():
            found.setdefault(key, []).append(shares)
    rows: list[dict[str, Any]] = [
        {"tokens": grid**2, "regions": name, **dict(zip(MEASURES, np.mean(shares, 0).tolist(), strict=True))}
        for (grid, name), shares in found.items()
    ]
    print(f"{'tokens':>6} {'regions':>12} " + " ".join(f"{name:>8}" for name in MEASURES))
    for row in rows:
        print(f"{row['tokens']:>6} {row['regions']:>12} " + " ".join(f"{float(row[name]):8.2%}" for name in MEASURES))
    write_json(options.output, {"clips": [str(clip) for clip in options.clips], "rows": rows})


def measure(clip: Path, every: int) -> dict[tuple[int, str], list[float]]:
    """Shares, in the order of MEASURES, by grid and kind of regions."""
    frames = read_frames(clip)
    track = build_detector("mediapipe", MediaPipeOptions()).detect_video(frames)
    truth = [true_parts(body, track, t * every) for t, body in enumerate(bodies(frames[::every]))]
    error = alignment_error(track.points(UPPER_BODY))
    past = torch.from_numpy(past_frames(error[:WINDOW, :WINDOW], PAST))[None]

    def deformed(rest: int) -> Callable[[tuple[int, int]], np.ndarray]:
        return lambda grid: rg.deformed_regions(track, track[[rest]], grid)

    kinds: dict[str, Callable[[tuple[int, int]], np.ndarray]] = {
        "boxes": lambda grid: box_regions(track, grid),
        "lines": lambda grid: rg.region_tokens(track, grid),
        "rest median": deformed(int(error.mean(1).argmin())),
        "rest first": deformed(0),
    }
    found = {}
    for grid in GRIDS:
        for name, kind in kinds.items():
            region_TN = kind(grid)
            plan = AttentionPlan(past, torch.from_numpy(region_TN[:WINDOW])[None])
            shares = covered(region_TN[::every].reshape(-1, *grid), truth, track.size[0])
            found[grid[0], name] = [*shares, kept_share(plan) - 1 / WINDOW]
    return found


def bodies(frames_THW3: np.ndarray) -> list[np.ndarray]:
    """Pixels (H, W) bool of the person in each frame."""
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    with SelfieSegmentation(model_selection=0) as segmentation:
        return [segmentation.process(frame).segmentation_mask > 0.5 for frame in frames_THW3]


def true_parts(body: np.ndarray, track: PoseTrack, t: int) -> dict[str, np.ndarray]:
    """Pixels of the body, and of face, hands and arms on it, each pixel in one of the three at most."""
    points, found = track.keypoints[t], track.found[t]
    hands = np.zeros_like(body)
    for hand in (sk.LEFT_HAND, sk.RIGHT_HAND):
        if found[hand].all():
            hands |= hull(points[hand], body.shape)
    face = hull(points[sk.FACE], body.shape) & body & ~hands
    width = rg.shoulder_width(track[[t]])[0] * track.size[0]
    band = np.zeros(body.shape, np.uint8)
    for upper, lower in (sk.LEFT_SHOULDER, sk.LEFT_ELBOW), (sk.LEFT_ELBOW, sk.LEFT_WRIST), (
        sk.RIGHT_SHOULDER, sk.RIGHT_ELBOW), (sk.RIGHT_ELBOW, sk.RIGHT_WRIST):  # fmt: skip
        ends = [tuple(points[end].astype(int).tolist()) for end in (upper, lower)]
        cv2.line(band, ends[0], ends[1], 1, max(1, int(_BAND * width)))
    return {"body": body, "face": face, "hands": hands, "arms": (band > 0) & body & ~hands & ~face}


def hull(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    filled = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(points.astype(np.float32)).astype(np.int32), 1)
    return filled > 0


def covered(region_Thw: np.ndarray, truth: list[dict[str, np.ndarray]], size: int) -> list[float]:
    """Share of the body in any region, of each part in its own, and of the regions on the body."""
    shares: dict[str, list[float]] = {name: [] for name in MEASURES[:-1]}
    for region_hw, parts in zip(region_Thw, truth, strict=True):
        region = cv2.resize(region_hw.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
        shares["body"].append(float((region[parts["body"]] > 0).mean()))
        shares["on_body"].append(float(parts["body"][region > 0].mean()))
        for name, index in (("face", rg.FACE), ("hands", rg.HANDS), ("arms", rg.ARMS)):
            if parts[name].any():
                shares[name].append(float((region[parts[name]] == index).mean()))
    return [float(np.mean(each)) for each in shares.values()]


def box_regions(track: PoseTrack, grid: tuple[int, int]) -> np.ndarray:
    """A box round the lines of each part, one a side for hands and arms; (T, N)."""
    unit, centre = rg.shoulder_width(track), rg.centres(grid)
    region_TN = np.zeros((len(track), len(centre)), np.int64)
    for part in reversed(rg.find_parts(track)):
        sides = 2 if part.region in (rg.HANDS, rg.ARMS) else 1
        for t, reach in enumerate(np.maximum(part.reach * unit, rg.half_diagonal(grid))):
            for lines in np.array_split(np.arange(part.seen_TL.shape[1]), sides):
                ends = part.ends_TL22[t, lines][part.seen_TL[t, lines]].reshape(-1, 2)
                if len(ends):
                    inside = (centre >= ends.min(0) - reach) & (centre <= ends.max(0) + reach)
                    region_TN[t, inside.all(1)] = part.region
    return region_TN


if __name__ == "__main__":
    main()

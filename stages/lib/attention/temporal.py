"""Codecs that pack several video frames into a latent frame: which they are, and what poses and regions it has.

Wan's codec makes n + 1 latent frames of 4n + 1 video frames: the first stands alone, every other holds the next four.
A latent frame has the pose of its middle video frame, the nearest to all that it shows, so that eq. 1 compares
middles; and a token belongs to a region if it does in any of the video frames, the finest winning as within a frame:
what moves through a token is seen in full. Past frames (eq. 2) are latent frames before the frame's own.

Axes: T video frames, L latent frames, N tokens of a frame.
"""

import numpy as np

from ..regions import BACKGROUND, FINEST_FIRST


def latent_groups(frames: int, stride: int, first: int = 1) -> list[tuple[int, int]]:
    """(start, stop) of the video frames of each latent frame: `first`, then `stride` each. first: `stride` of a part
    that does not begin its video.

    Raises:
        ValueError: the frames do not come out even.
    """
    if stride < 1:
        raise ValueError(f"a latent frame must hold 1 or more video frames, not {stride}")
    if frames < first or (frames - first) % stride:
        fitting = max(frames - first, 0) // stride * stride + first
        raise ValueError(
            f"{frames} video frames do not fill latent frames of {stride}: "
            f"{first} + a multiple of {stride} do, such as {fitting}"
        )
    return [(0, first), *((start, start + stride) for start in range(first, frames, stride))]


def middle_frames(frames: int, stride: int, first: int = 1) -> np.ndarray:
    """(L,) int64: the video frame whose pose stands for each latent frame; of four the third."""
    return np.array([(start + stop) // 2 for start, stop in latent_groups(frames, stride, first)])


def latent_regions(region_TN: np.ndarray, stride: int, first: int = 1) -> np.ndarray:
    """(L, N): the union of each region over the video frames of a latent frame; where regions meet the finer wins."""
    groups = latent_groups(len(region_TN), stride, first)
    region_LN = np.full((len(groups), region_TN.shape[1]), BACKGROUND, region_TN.dtype)
    for index, (start, stop) in enumerate(groups):
        for region in reversed(FINEST_FIRST):
            region_LN[index, (region_TN[start:stop] == region).any(0)] = region
    return region_LN

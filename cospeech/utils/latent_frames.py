"""Map video frames to the latent frames of codecs that pack several into one.

Wan's codec makes n + 1 latent frames of 4n + 1 video frames: the first stands alone, every other holds the next four.
A latent frame has the pose of its middle video frame, the nearest to all that it shows.

Axes: L latent frames.
"""

import numpy as np


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

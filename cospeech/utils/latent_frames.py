"""Map video frames to the latent frames of codecs that compress time.

Wan's codec encodes 4n + 1 video frames as n + 1 latent frames: the first holds one video frame, each other holds the
next four. A latent frame takes the pose of its middle video frame.

Axes: L latent frames.
"""

import numpy as np


def latent_groups(frames: int, stride: int, first: int = 1) -> list[tuple[int, int]]:
    """Return the video frames of each latent frame as (start, stop).

    Args:
        frames: number of video frames.
        stride: video frames of every latent frame but the first.
        first: video frames of the first latent frame; equals `stride` for a part that does not begin its video.

    Raises:
        ValueError: `frames` is not `first` plus a multiple of `stride`.
    """
    if stride < 1:
        raise ValueError(f"stride is {stride}; a latent frame holds at least 1 video frame")
    if frames < first or (frames - first) % stride:
        fitting = max(frames - first, 0) // stride * stride + first
        raise ValueError(
            f"{frames} video frames do not fill latent frames of {stride}; use {first} plus a multiple of {stride}, "
            f"such as {fitting}"
        )
    return [(0, first), *((start, start + stride) for start in range(first, frames, stride))]


def middle_frames(frames: int, stride: int, first: int = 1) -> np.ndarray:
    """Return the video frame whose pose each latent frame takes, (L,) int64; of four frames the third."""
    return np.array([(start + stop) // 2 for start, stop in latent_groups(frames, stride, first)])

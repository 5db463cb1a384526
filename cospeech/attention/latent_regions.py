"""Map the regions of video frames to the latent frames of codecs that pack several into one.

A token belongs to a region if it does in any of the video frames, the finest winning as within a frame: what moves
through a token is seen in full.

Axes: T video frames, L latent frames, N tokens of a frame.
"""

import numpy as np

from ..pose.regions import BACKGROUND, FINEST_FIRST
from ..utils.latent_frames import latent_groups


def latent_regions(region_TN: np.ndarray, stride: int, first: int = 1) -> np.ndarray:
    """(L, N): the union of each region over the video frames of a latent frame; where regions meet the finer wins."""
    groups = latent_groups(len(region_TN), stride, first)
    region_LN = np.full((len(groups), region_TN.shape[1]), BACKGROUND, region_TN.dtype)
    for index, (start, stop) in enumerate(groups):
        for region in reversed(FINEST_FIRST):
            region_LN[index, (region_TN[start:stop] == region).any(0)] = region
    return region_LN

"""Pictures of a plan over the video's frames: which tokens of which frames a token sees.

Axes: T frames, H W pixels, N tokens of a frame, h w token grid.
"""

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..pose.regions import FACE, HANDS
from .plan import AttentionPlan

_COLOURS = np.array([(128, 128, 128), (255, 170, 60), (255, 60, 60), (60, 200, 90), (240, 230, 70), (70, 130, 255)])
"""RGB of background, face, hands, arms, shoulders, body."""


def draw_regions(frame_HW3: np.ndarray, region_N: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The frame (uint8 RGB) tinted by the region of each token; background stays as it is."""
    region_hw = region_N.reshape(grid)
    return _tint(frame_HW3, _COLOURS[region_hw], np.where(region_hw > 0, 0.5, 0.0))


def draw_attention(
    frames_THW3: np.ndarray, plan: AttentionPlan, query: tuple[int, int], grid: tuple[int, int]
) -> np.ndarray:
    """What one query sees: its past frames in order of time, then its own, side by side, (H, (1 + past) * W, 3) uint8.

    frames_THW3: uint8 RGB of the plan's first window. query: (frame, token). Tokens out of sight are dark, tokens seen
    in past frames carry their region's colour, the query is white.
    """
    t, token = query
    region_TN = plan.region_BTN[0].cpu().numpy()
    past = sorted(frame for frame in plan.past_BTK[0, t].tolist() if frame >= 0)
    panels = []
    for frame in past:
        seen_hw = ((region_TN[frame] == region_TN[t, token]) & (region_TN[frame] > 0)).reshape(grid)
        colour_hw3 = np.where(seen_hw[..., None], _COLOURS[region_TN[frame].reshape(grid)], 0)
        panels.append(_tint(frames_THW3[frame], colour_hw3, np.where(seen_hw, 0.35, 0.75)))
    own_hw = np.arange(region_TN.shape[1]).reshape(grid) == token
    panels.append(_tint(frames_THW3[t], np.where(own_hw[..., None], 255, 0), np.where(own_hw, 1.0, 0.0)))
    return np.concatenate(panels, axis=1)


def attention_sheet(frames_THW3: np.ndarray, plan: AttentionPlan, frame: int, grid: tuple[int, int]) -> np.ndarray:
    """The regions of a frame and of its past frames; below, what a token amid its hands and one amid its face see."""
    region_TN = plan.region_BTN[0].cpu().numpy()
    past = sorted(index for index in plan.past_BTK[0, frame].tolist() if index >= 0)
    rows = [np.concatenate([draw_regions(frames_THW3[t], region_TN[t], grid) for t in (*past, frame)], axis=1)]
    for region in (HANDS, FACE):
        inside_hw = (region_TN[frame] == region).reshape(grid)
        if inside_hw.any():
            deepest = int(distance_transform_edt(np.pad(inside_hw, 1))[1:-1, 1:-1].argmax())
            rows.append(draw_attention(frames_THW3, plan, (frame, deepest), grid))
    return np.concatenate(rows)


def _tint(frame_HW3: np.ndarray, colour_hw3: np.ndarray, strength_hw: np.ndarray) -> np.ndarray:
    height, width = frame_HW3.shape[:2]
    rows = np.arange(height) * strength_hw.shape[0] // height
    columns = np.arange(width) * strength_hw.shape[1] // width
    colour_HW3 = colour_hw3[rows][:, columns]
    strength_HW1 = strength_hw[rows][:, columns][..., None]
    return (frame_HW3 * (1 - strength_HW1) + colour_HW3 * strength_HW1).round().astype(np.uint8)

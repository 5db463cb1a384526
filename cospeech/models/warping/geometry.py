"""Sizes that rule how a reference is taken apart and deformed; a deformer saves those that it was trained with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WarpGeometry:
    """In shoulder widths, unless told otherwise; chosen for the least error over the embedded corpus.

    upper_arm, forearm, palm, finger: radii, sleeves included. blend: over it one limb takes over from another.
    arm_edge, hand_edge: width of the soft edge of a layer. hidden: nearer than this to forearm or hand the reference
    shows nothing of the body. hair: how far from the face hair is taken for part of the head. outline: over it what
    moves with head and torso becomes background, which stays.
    body_cells, limb_cells: cells a side on which the layers are worked out; they are smooth, and stretched to pixels.
    between, border, crown: control points between two joints of the torso, of an edge of the picture, around the head.
    crown_width, crown_height: half axes of these above the jaw, in half widths of the jaw and in heights of the face;
    crown_drop: the height of those below.
    """

    upper_arm: float = 0.10
    forearm: float = 0.11
    palm: float = 0.08
    finger: float = 0.04
    blend: float = 0.02
    arm_edge: float = 0.08
    hand_edge: float = 0.05
    hidden: float = 0.03
    hair: float = 0.15
    outline: float = 0.2
    body_cells: int = 32
    limb_cells: int = 48
    between: int = 4
    border: int = 8
    crown: int = 13
    crown_width: float = 1.25
    crown_height: float = 1.15
    crown_drop: float = 0.9


@dataclass(frozen=True)
class OffsetReach:
    """Where learned offsets are told and where they end, in shoulder widths unless told otherwise.

    middle, half: of the torso's square, its middle below the shoulders and half its side; fade: share of that half over
    which offsets end beyond. chin, collar: above the shoulders offsets end at the one and are whole below the other,
    for faces have keypoints enough. beyond: share of a bone's length by which its cells reach beyond its ends; side:
    how far they reach to either side; shortest: a bone counts as no shorter.
    """

    middle: float = 0.55
    half: float = 0.9
    fade: float = 0.3
    chin: float = 0.25
    collar: float = 0.1
    beyond: float = 0.2
    side: float = 0.16
    shortest: float = 0.25

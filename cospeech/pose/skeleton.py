"""The 133 keypoints of COCO-WholeBody: index tables, limbs, colours. Left is the person's left.

Jin et al., "Whole-Body Human Pose Estimation in the Wild", arXiv 2007.11858. Colours: OpenPose and DWPose
(arXiv 2307.15880). Colours are RGB, 0..255.
"""

import colorsys

import numpy as np

KEYPOINTS = 133


def _span(first: int, last: int) -> np.ndarray:
    indices = np.arange(first, last + 1)
    indices.flags.writeable = False
    return indices


def _pick(*indices: int) -> np.ndarray:
    picked = np.array(indices)
    picked.flags.writeable = False
    return picked


NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR = range(5)
LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_ELBOW, RIGHT_ELBOW, LEFT_WRIST, RIGHT_WRIST = range(5, 11)
LEFT_HIP, RIGHT_HIP, LEFT_KNEE, RIGHT_KNEE, LEFT_ANKLE, RIGHT_ANKLE = range(11, 17)

BODY = _span(0, 16)
FEET = _span(17, 22)  # left big toe, small toe, heel; right big toe, small toe, heel
FACE = _span(23, 90)  # the 68 points of 300-W
LEFT_HAND = _span(91, 111)  # wrist, then thumb, index, middle, ring, little finger from root to tip
RIGHT_HAND = _span(112, 132)
HANDS = _span(91, 132)
UPPER_BODY = _span(0, 12)
SHOULDERS = _pick(LEFT_SHOULDER, RIGHT_SHOULDER)
ARMS = _pick(LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_ELBOW, RIGHT_ELBOW, LEFT_WRIST, RIGHT_WRIST)

# Parts of the face, named by the person's side.
JAW = _span(23, 39)  # from the person's right ear over the chin to the left
RIGHT_BROW = _span(40, 44)
LEFT_BROW = _span(45, 49)
NOSE_BRIDGE = _span(50, 53)
NOSE_BASE = _span(54, 58)
RIGHT_EYE_RING = _span(59, 64)
LEFT_EYE_RING = _span(65, 70)
MOUTH = _span(71, 90)
OUTER_LIPS = _span(71, 82)  # from the person's right corner over the upper lip
INNER_LIPS = _span(83, 90)
UPPER_LIP_INNER, LOWER_LIP_INNER = 85, 89  # middle of each inner lip
MOUTH_RIGHT, MOUTH_LEFT = 71, 77  # outer corners

NECK = KEYPOINTS  # not one of the 133: the middle of the shoulders, appended by `with_neck`

BODY_COLOURS = np.array(
    [
        (255, 0, 0),
        (255, 85, 0),
        (255, 170, 0),
        (255, 255, 0),
        (170, 255, 0),
        (85, 255, 0),
        (0, 255, 0),
        (0, 255, 85),
        (0, 255, 170),
        (0, 255, 255),
        (0, 170, 255),
        (0, 85, 255),
        (0, 0, 255),
        (85, 0, 255),
        (170, 0, 255),
        (255, 0, 255),
        (255, 0, 170),
        (255, 0, 85),
    ]
)
# The order of OpenPose's 18 body points: point i has colour i of BODY_COLOURS.
OPENPOSE_BODY = (
    NOSE, NECK, RIGHT_SHOULDER, RIGHT_ELBOW, RIGHT_WRIST, LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST, RIGHT_HIP, RIGHT_KNEE,
    RIGHT_ANKLE, LEFT_HIP, LEFT_KNEE, LEFT_ANKLE, RIGHT_EYE, LEFT_EYE, RIGHT_EAR, LEFT_EAR,
)  # fmt: skip
# Limb i has colour i of BODY_COLOURS. The last five are of the head.
BODY_LIMBS = (
    (NECK, RIGHT_SHOULDER), (NECK, LEFT_SHOULDER), (RIGHT_SHOULDER, RIGHT_ELBOW), (RIGHT_ELBOW, RIGHT_WRIST),
    (LEFT_SHOULDER, LEFT_ELBOW), (LEFT_ELBOW, LEFT_WRIST), (NECK, RIGHT_HIP), (RIGHT_HIP, RIGHT_KNEE),
    (RIGHT_KNEE, RIGHT_ANKLE), (NECK, LEFT_HIP), (LEFT_HIP, LEFT_KNEE), (LEFT_KNEE, LEFT_ANKLE), (NECK, NOSE),
    (NOSE, RIGHT_EYE), (RIGHT_EYE, RIGHT_EAR), (NOSE, LEFT_EYE), (LEFT_EYE, LEFT_EAR),
)  # fmt: skip
# Edges within one hand, indices 0..20.
HAND_LIMBS = tuple(
    (0 if joint == 1 else 4 * finger + joint - 1, 4 * finger + joint) for finger in range(5) for joint in range(1, 5)
)
HAND_COLOURS = np.array(
    [[round(255 * channel) for channel in colorsys.hsv_to_rgb(edge / 20, 1, 1)] for edge in range(20)]
)

_FACE_SWAP = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip
# Keypoint i of a picture is keypoint MIRROR[i] of the picture flipped left to right.
MIRROR = np.concatenate(
    [
        [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15],
        [20, 21, 22, 17, 18, 19],
        23 + np.array(_FACE_SWAP),
        RIGHT_HAND,
        LEFT_HAND,
    ]
)
MIRROR.flags.writeable = False


def with_neck(keypoints: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Append the neck as point 133, visible where both shoulders are: (..., 133, 2), (..., 133) -> (..., 134, 2),
    (..., 134)."""
    neck = keypoints[..., SHOULDERS, :].mean(axis=-2, keepdims=True)
    seen = visible[..., SHOULDERS].all(axis=-1, keepdims=True)
    return np.concatenate([keypoints, neck], axis=-2), np.concatenate([visible, seen], axis=-1)

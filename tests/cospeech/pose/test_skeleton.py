"""Index tables against rtmlib's own description of COCO-WholeBody."""

import numpy as np
from rtmlib.visualization.skeleton.coco133 import coco133

from cospeech.pose import skeleton as sk

INFO = coco133["keypoint_info"]
NAMES = [INFO[index]["name"] for index in range(sk.KEYPOINTS)]


def test_parts_are_where_the_standard_puts_them() -> None:
    assert NAMES[sk.LEFT_WRIST] == "left_wrist"
    assert NAMES[sk.RIGHT_HIP] == "right_hip"
    assert NAMES[sk.LEFT_HAND[0]] == "left_hand_root"
    assert NAMES[sk.RIGHT_HAND[0]] == "right_hand_root"
    assert {NAMES[index].split("-")[0] for index in sk.FACE} == {"face"}
    assert NAMES[sk.MOUTH[0]] == "face-48"
    parts = np.concatenate([sk.BODY, sk.FEET, sk.FACE, sk.HANDS])
    assert (parts == np.arange(sk.KEYPOINTS)).all()


def test_mirror_swaps_what_the_standard_swaps() -> None:
    for index, name in enumerate(NAMES):
        swapped = INFO[index]["swap"] or name
        assert NAMES[sk.MIRROR[index]] == swapped, name


def test_hand_limbs_are_the_links_of_the_standard() -> None:
    links = {tuple(link["link"]) for link in coco133["skeleton_info"].values()}
    for hand in (sk.LEFT_HAND, sk.RIGHT_HAND):
        for a, b in sk.HAND_LIMBS:
            assert (NAMES[hand[a]], NAMES[hand[b]]) in links


def test_neck_is_the_middle_of_the_shoulders_and_visible_where_both_are() -> None:
    keypoints, visible = np.zeros((2, 133, 2)), np.ones((2, 133), bool)
    keypoints[:, sk.LEFT_SHOULDER], visible[1, sk.LEFT_SHOULDER] = (10, 4), False
    with_neck, seen = sk.with_neck(keypoints, visible)
    assert (with_neck[:, sk.NECK] == (5, 2)).all()
    assert seen[:, sk.NECK].tolist() == [True, False]

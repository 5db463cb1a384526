"""Latent frames of several video frames."""

import numpy as np
import pytest

from cospeech.attention.latent_regions import latent_regions
from cospeech.attention.plan import plan_attention
from cospeech.pose import skeleton as sk
from cospeech.pose.regions import ARMS, BACKGROUND, BODY, FACE, HANDS
from cospeech.utils.latent_frames import latent_groups, middle_frames
from tests.helpers.keypoints import unit_track


def test_wan_packs_one_and_then_fours() -> None:
    assert latent_groups(9, 4) == [(0, 1), (1, 5), (5, 9)]
    assert middle_frames(9, 4).tolist() == [0, 3, 7]


def test_a_part_from_the_middle_of_a_video_has_only_fours() -> None:
    """It is what the whole has there: groups, middles, regions and who looks back at whom among its own frames."""
    assert latent_groups(8, 4, first=4) == [(0, 4), (4, 8)]
    assert middle_frames(8, 4, first=4).tolist() == [2, 6]
    with pytest.raises(ValueError, match=r"9 video frames .* 4 .* 8"):
        latent_groups(9, 4, first=4)
    rng = np.random.default_rng(1)
    track = unit_track(rng.random((17, sk.KEYPOINTS, 2)))
    whole = plan_attention(track, (4, 4), K=3, stride=4)
    part = plan_attention(track[5:], (4, 4), K=3, stride=4, first=4)
    assert part.region_BTN.equal(whole.region_BTN[:, 2:])
    assert part.past_BTK[0, 0, 0] == -1
    assert part.past_BTK[0, 1, 0] == 0
    last = [frame - 2 for frame in whole.past_BTK[0, 4].tolist() if frame >= 2]
    assert last
    assert [frame for frame in part.past_BTK[0, 2].tolist() if frame in last] == last


def test_without_packing_every_frame_is_its_own() -> None:
    assert middle_frames(4, 1).tolist() == [0, 1, 2, 3]
    region = np.arange(4)[:, None].repeat(3, 1)
    np.testing.assert_array_equal(latent_regions(region, 1), region)


def test_frames_that_do_not_come_out_even_are_refused() -> None:
    with pytest.raises(ValueError, match=r"8 video frames .* such as 5"):
        latent_groups(8, 4)


def test_a_region_is_where_it_is_in_any_frame_and_the_finer_wins() -> None:
    region = np.array(
        [[BODY, BODY, 0, 0], [0, 0, BODY, 0], [HANDS, 0, 0, 0], [FACE, ARMS, 0, 0], [BODY, BODY, 0, BACKGROUND]]
    )
    np.testing.assert_array_equal(latent_regions(region, 4), [[BODY, BODY, 0, 0], [HANDS, ARMS, BODY, BACKGROUND]])


def test_the_plan_is_over_latent_frames_and_compares_middles() -> None:
    """Of latent frames 0 to 3 (video 0, 1-4, 5-8, 9-12) the last has, in its middle, the pose of the second."""
    rng = np.random.default_rng(0)
    keypoints = rng.random((13, sk.KEYPOINTS, 2))
    keypoints[11] = keypoints[3]
    plan = plan_attention(unit_track(keypoints), (4, 4), K=1, stride=4)
    assert plan.region_BTN.shape == (1, 4, 16)
    assert plan.past_BTK[0, 3, 0] == 1

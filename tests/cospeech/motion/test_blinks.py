import numpy as np
import pytest

from cospeech.motion.blinks import Blinker, Blinking, blinks_a_minute, eye_aspect, find_blinks, fit_blinking, open_eyed
from cospeech.motion.representation import describe
from cospeech.motion.stream import draw_motion
from cospeech.pose import skeleton as sk
from tests.cospeech.motion.test_model import lively_model
from tests.helpers.keypoints import person

CLOSING = np.array([0.1, 0.35, 0.45, 0.35, 0.1])


def blinking(frames: int, middles: list[int], depth: float = 1.0) -> np.ndarray:
    """Somebody whose eyes are closed by 0.45 `depth` of their opening in these frames, and who moves their head."""
    keypoints = person(frames).keypoints
    closed = np.zeros(frames)
    for middle in middles:
        closed[middle - 2 : middle + 3] = CLOSING * depth
    for ring in (sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING):
        centre = keypoints[:, ring, 1].mean(1, keepdims=True)
        keypoints[:, ring, 1] = centre + (keypoints[:, ring, 1] - centre) * (1 - closed[:, None])
    keypoints[:, np.r_[0:5, sk.FACE]] += np.sin(np.arange(frames) / 9)[:, None, None] * np.float32([6, 2])
    return keypoints


def test_blinks_are_found_where_they_are() -> None:
    keypoints = blinking(150, [20, 70, 131])
    assert find_blinks(keypoints) == [20, 70, 131]
    assert blinks_a_minute(keypoints, 25) == pytest.approx(30)
    assert find_blinks(blinking(150, [])) == []
    assert find_blinks(blinking(150, [40], depth=0.3)) == []  # eyes that narrow
    asleep = blinking(150, [])
    asleep[60:100] = blinking(40, [2])[2]
    assert find_blinks(asleep) == []  # eyes that stay shut


def test_without_blinks_nothing_else_changes() -> None:
    keypoints = blinking(150, [20, 70, 147])
    opened, never = open_eyed(keypoints), blinking(150, [])
    assert find_blinks(opened) == []
    np.testing.assert_allclose(eye_aspect(opened)[:140], eye_aspect(never)[:140], rtol=0.02)
    others = np.setdiff1d(np.arange(sk.KEYPOINTS), np.r_[sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING])
    np.testing.assert_array_equal(opened[:, others], keypoints[:, others])


def test_the_process_gives_back_what_it_was_fitted_to() -> None:
    rng, tracks = np.random.default_rng(0), []
    for _ in range(30):
        middles, now = [], int(rng.integers(10, 60))
        while now < 190:
            middles.append(now)
            now += 20 + int(rng.geometric(0.03))
        tracks.append(blinking(200, middles, float(rng.uniform(0.8, 1.2))))
    how = fit_blinking(tracks)
    assert 20 < how.pause < 24
    assert how.chance == pytest.approx(0.03, abs=0.008)
    assert 0.05 < how.spread < 0.2
    drawn = moving_lids(how, 9000)
    true = np.mean([blinks_a_minute(track, 25) for track in tracks])
    assert blinks_a_minute(drawn, 25) == pytest.approx(true, rel=0.15)
    assert np.diff(find_blinks(drawn)).min() >= how.pause
    depths = [np.median([eye_aspect(each)[i] for each in several for i in find_blinks(each)])
              for several in (tracks, [drawn])]  # fmt: skip
    assert depths[0] == pytest.approx(depths[1], rel=0.05)


def moving_lids(how: Blinking, frames: int) -> np.ndarray:
    """Keypoints of somebody who does nothing but blink."""
    still = person(1).keypoints[0]
    keypoints = np.repeat(still[None], frames, 0)
    lids = Blinker(how, describe(still)[0], 0).draw(frames).reshape(frames, 12, 2)
    keypoints[:, np.r_[sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING]] += 30 * lids  # the eyes are 30 px apart
    return keypoints


def test_from_people_who_never_blink_nobody_learns_to() -> None:
    how = fit_blinking([blinking(150, []), blinking(150, [70])])
    assert how.chance == 0
    assert find_blinks(moving_lids(how, 500)) == []


def test_drawn_motion_blinks_as_the_model_says_and_repeats() -> None:
    model, still = lively_model(), person(1).keypoints[0]
    mel = np.random.default_rng(0).normal(size=(200, 4, 80)).astype(np.float32)
    never = draw_motion(model, mel, still, 4, 0)
    model.blinking = Blinking(np.full((9, 24), 0.01, np.float32), 0.5, 10, 0.0)
    often, again = (draw_motion(model, mel, still, 4, 0) for _ in range(2))
    np.testing.assert_array_equal(often, again)
    lids = np.r_[sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING]
    rest = np.setdiff1d(np.arange(sk.KEYPOINTS), lids)
    np.testing.assert_array_equal(often[:, rest], never[:, rest])
    changed = np.abs(often[:, lids] - never[:, lids]).max((1, 2)) > 1e-3
    assert 0.5 < changed.mean() < 1
    begun = [Blinker(model.blinking, describe(still)[0], seed).draw(200).any(1) for seed in (0, 1)]
    np.testing.assert_array_equal(begun[0], changed)
    assert (begun[0] != begun[1]).any()

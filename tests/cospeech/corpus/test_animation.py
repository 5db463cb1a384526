import numpy as np
import pytest

from cospeech.corpus.animation import Frame, blinks, gesture_track, keyed, loudness, minimum_jerk, poses

FRAME = Frame(shoulder=0.17, reach=0.52, neck=0.0, chest=1.4)
TIMES = (np.arange(125) + 0.5) / 25


def test_minimum_jerk_starts_and_ends_at_rest() -> None:
    u = np.linspace(0, 1, 1001)
    x = minimum_jerk(u)
    assert x[0] == 0
    assert x[-1] == pytest.approx(1)
    assert (np.diff(x) >= 0).all()
    assert max(x[1] - x[0], x[-1] - x[-2]) < 1e-6


def test_keyed_motion_visits_its_keys_and_holds_them() -> None:
    drawn: list[float] = []
    rng, draws = np.random.default_rng(0), np.random.default_rng(1)

    def key() -> np.ndarray:
        drawn.append(draws.normal())
        return np.array([drawn[-1]])

    times = np.linspace(0, 5, 501)
    track = keyed(rng, times, key, 0.5, 0.5, dwell=0.4)[:, 0]
    for index in range(10):
        held = (times >= 0.5 * index) & (times <= 0.5 * index + 0.19)
        np.testing.assert_allclose(track[held], drawn[index], atol=1e-9)


def test_hands_stay_in_front_of_the_body_on_their_own_side() -> None:
    track = gesture_track(np.random.default_rng(3), TIMES, FRAME, symmetric=False)
    assert track.shape == (125, 2, 15)
    assert (track[:, 0, 0] > 0.05).all()
    assert (track[:, 1, 0] < -0.05).all()
    assert (track[:, :, 1] < FRAME.neck - 0.15).all()
    assert (track[:, :, 2] < FRAME.chest).all()


def test_symmetric_gestures_mirror() -> None:
    track = gesture_track(np.random.default_rng(3), TIMES, FRAME, symmetric=True)
    np.testing.assert_allclose(track[:, 0, 3], -track[:, 1, 3])
    np.testing.assert_allclose(track[:, 0, 9:], track[:, 1, 9:])


def test_same_seed_same_poses() -> None:
    voice = np.abs(np.sin(TIMES * 7))
    one, two = (poses(np.random.default_rng(9), TIMES, voice, FRAME) for _ in range(2))
    np.testing.assert_array_equal(one[40].hands["L"].position, two[40].hands["L"].position)
    np.testing.assert_array_equal(one[40].turns["head"], two[40].turns["head"])


def test_hands_beat_down_with_the_voice() -> None:
    loud, quiet = (poses(np.random.default_rng(9), TIMES, np.full(125, level), FRAME) for level in (1.0, 0.0))
    for one, other in zip(loud, quiet, strict=True):
        assert one.hands["R"].position[2] == pytest.approx(other.hands["R"].position[2] - 0.02)


def test_blinks_close_fully_and_briefly() -> None:
    times = np.arange(0, 20, 0.02)
    closed = blinks(np.random.default_rng(0), times)
    assert closed.max() == 1
    assert 0.02 < (closed > 0.8).mean() < 0.12
    assert np.median(closed) == closed.min() > 0


def test_loudness_follows_the_voice() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 32000)
    samples[16000:] = 0
    level = loudness(samples, 16000, np.array([0.5, 1.5]))
    assert level[0] == pytest.approx(1, abs=0.1)
    assert level[1] == pytest.approx(0, abs=1e-3)

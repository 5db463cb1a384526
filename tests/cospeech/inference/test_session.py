"""A talk comes out the same however it is cut, beside whatever, and takes no more memory the longer it lasts."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from cospeech.audio.mel import log_mel
from cospeech.inference.bundle import Models
from cospeech.inference.conditioning import Person
from cospeech.inference.retargeting import Fit
from cospeech.inference.speaker import Speaker
from cospeech.motion.stream import draw_motion
from tests.cospeech.inference.small import FPS, RATE, SETTINGS, SIZE, models, somebody, speech


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    return Speaker(models())


def talk(speaker: Speaker, samples: np.ndarray, piece: int, **how: int) -> np.ndarray:
    with speaker.start(somebody(), **how) as session:
        parts = [session.push(samples[start : start + piece]) for start in range(0, len(samples), piece)]
        return np.concatenate([*parts, session.finish()])


def test_the_same_however_the_voice_is_cut(speaker: Speaker) -> None:
    samples = speech(1.3)
    whole = talk(speaker, samples, len(samples))
    assert whole.shape == (33, SIZE, SIZE, 3)
    assert whole.dtype == np.uint8
    assert np.abs(np.diff(whole.astype(int), axis=0)).max() > 10  # it moves
    for piece in (160, 1601):
        np.testing.assert_array_equal(talk(speaker, samples, piece), whole)


def test_a_stream_is_what_is_drawn_offline(speaker: Speaker) -> None:
    samples, person = speech(1.0), somebody()
    mel = log_mel(samples, RATE, 25, FPS)
    assert speaker.models.motion is not None
    rest = np.array(SETTINGS.rest, np.float32)
    keypoints = Fit(person.keypoints, rest)(draw_motion(speaker.models.motion, mel, rest, SETTINGS.motion_steps, 5))
    seen = np.repeat(person.confidence[None], 25, 0)
    still = person.keypoints, person.confidence
    offline = speaker.animate(person.picture, keypoints, seen, *still, seed=5)
    streamed = talk(speaker, samples, 400, seed=5)
    difference = np.abs(streamed.astype(int) - offline)
    assert difference.max() <= 2  # motion is drawn in other pieces, which rounds differently
    assert difference.mean() < 0.01


def test_frames_come_while_it_is_spoken(speaker: Speaker) -> None:
    samples = speech(2.0)
    with speaker.start(somebody(), chunk=2, first=1) as session:
        heard = round((session.lookahead + 1 / FPS) * RATE)
        session.push(samples[: heard - 1])
        assert session.animation.next_chunk == 1
        early = session.push(samples[heard - 1 : heard + 640 * 4])
        assert session.animation.next_chunk == 2
        late = session.push(samples[heard + 640 * 4 :])
        left = session.finish()
    assert len(early) + len(late) + len(left) == 50
    assert len(late) > 10


def test_sessions_side_by_side_do_not_meet(speaker: Speaker) -> None:
    mine, yours = speech(0.6), speech(0.6, seed=1)
    alone = talk(speaker, mine, 640), talk(speaker, yours, 640)
    with speaker.start(somebody()) as one, speaker.start(somebody()) as other:
        frames: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for start in range(0, len(mine), 640):
            frames[0].append(one.push(mine[start : start + 640]))
            frames[1].append(other.push(yours[start : start + 640]))
        frames[0].append(one.finish())
        frames[1].append(other.finish())
    for expected, found in zip(alone, frames, strict=True):
        np.testing.assert_array_equal(np.concatenate(found), expected)


def test_memory_does_not_grow(speaker: Speaker) -> None:
    piece = speech(0.4)
    with speaker.start(somebody()) as session:
        taken, kept = [], []
        tracemalloc.start()
        for _ in range(24):
            session.push(piece)
            taken.append(tracemalloc.get_traced_memory()[0])
            kept.append(session.animation.memory_bytes())
        tracemalloc.stop()
    assert max(kept[16:]) <= max(kept[4:16]) * 1.2
    assert max(taken[16:]) < max(taken[4:12]) + 2e6  # a frame more a push would be 0.1 MB more a push


def test_seeds_differ_and_repeat(speaker: Speaker) -> None:
    samples = speech(0.5)
    np.testing.assert_array_equal(talk(speaker, samples, 800, seed=1), talk(speaker, samples, 800, seed=1))
    assert (talk(speaker, samples, 800, seed=1) != talk(speaker, samples, 800, seed=2)).any()


def test_points_that_the_models_never_saw_change_nothing(speaker: Speaker) -> None:
    person = somebody()
    moved = replace(person, keypoints=person.keypoints.copy(), confidence=person.confidence.copy())
    moved.keypoints[[11, 12]] += 20
    moved.confidence[11] = 0

    def drawn(whom: Person) -> np.ndarray:
        with speaker.follow(whom) as animation:
            animation.push(whom.pose[[0] * 4])
            return animation.finish()

    np.testing.assert_array_equal(drawn(person), drawn(moved))
    moved.keypoints[9] += 20
    assert (drawn(person) != drawn(moved)).any()


def test_no_voice_no_frames(speaker: Speaker) -> None:
    assert talk(speaker, np.zeros(0, np.float32), 1).shape == (0, SIZE, SIZE, 3)


def test_a_closed_session_leaves_no_threads(speaker: Speaker) -> None:
    session = speaker.start(somebody())
    session.push(speech(2.0))
    session.close()
    assert not [thread for thread in session.animation._pipeline._threads if thread.is_alive()]


def test_what_cannot_talk_says_why(speaker: Speaker) -> None:
    mute: Models = replace(speaker.models, motion=None)
    with pytest.raises(ValueError, match="no motion model"):
        Speaker(mute).start(somebody())
    dense = replace(speaker.models, settings=replace(SETTINGS, stream=None, mask=()))
    with pytest.raises(ValueError, match="cannot stream"):
        Speaker(dense).start(somebody())
    with pytest.raises(ValueError, match="1 or more"):
        speaker.start(somebody(), chunk=0)


def test_without_a_stream_keypoints_are_drawn_in_windows(speaker: Speaker) -> None:
    dense = Speaker(replace(speaker.models, settings=replace(SETTINGS, stream=None, mask=())))
    person = somebody()
    keypoints = person.keypoints + np.linspace(0, 3, 9)[:, None, None].astype(np.float32)
    frames = dense.animate(person.picture, keypoints, np.repeat(person.confidence[None], 9, 0))
    assert frames.shape == (9, SIZE, SIZE, 3)
    assert torch.is_grad_enabled()

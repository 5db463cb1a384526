import numpy as np
import pytest

from cospeech.corpus.speech_synthesis import Interval
from cospeech.corpus.visemes import VISEMES, blendshape_names, mouth_tracks, viseme_sequence


@pytest.mark.parametrize(
    ("phone", "shapes"),
    [
        ("p", ("pbm",)),
        ("m", ("pbm",)),
        ("tʃ", ("sh",)),
        ("oʊ", ("oh", "uu")),
        ("aɪ", ("aa", "ih")),
        ("i", ("ih",)),
        ("", ("rest",)),
        ("?", ("ah",)),
    ],
)
def test_viseme_of_a_phone(phone: str, shapes: tuple[str, ...]) -> None:
    assert viseme_sequence(phone) == shapes
    assert set(shapes) <= set(VISEMES)


def _phones(*texts: str, each: float = 0.08) -> list[Interval]:
    return [Interval(text, index * each, (index + 1) * each) for index, text in enumerate(texts)]


def test_lips_close_on_a_short_bilabial_between_open_vowels() -> None:
    phones = _phones("ɑ", "ɑ", "b", "ɑ", "ɑ", each=0.06)
    times = np.linspace(0, 0.3, 61)
    tracks = mouth_tracks(phones, times)
    middle = int(np.argmin(np.abs(times - 0.15)))
    assert tracks["jawOpen"][middle] < 0.05
    assert tracks["mouthPressLeft"][middle] > 0.4
    assert tracks["jawOpen"][12] > 0.3


def test_silence_is_rest() -> None:
    tracks = mouth_tracks(_phones("", "", ""), np.linspace(0, 0.2, 5))
    assert set(tracks) == set(blendshape_names())
    assert all((track == 0).all() for track in tracks.values())


def test_weights_stay_in_range_and_both_sides_agree() -> None:
    tracks = mouth_tracks(_phones(*"pɑtuʃefɪmsoðk"), np.linspace(0, 1, 200))
    for name, track in tracks.items():
        assert track.min() >= 0
        assert track.max() <= 1
        if name.endswith("Left"):
            np.testing.assert_array_equal(track, tracks[name.removesuffix("Left") + "Right"])

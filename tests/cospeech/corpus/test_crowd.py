"""The random people of pretraining: reproducible, varied, and none of them of the embedded corpus."""

import numpy as np

from cospeech.corpus.cast import CAST
from cospeech.corpus.crowd import crowd


def test_a_crowd_grows_without_drawing_anybody_anew():
    assert crowd(30, 0)[:10] == crowd(10, 0)
    assert crowd(10, 1)[0] != crowd(10, 0)[0]


def test_nobody_is_of_the_cast_and_nobody_comes_twice():
    people = [person for person, _ in crowd(60, 0)]
    assert len({person.name for person in people}) == 60
    assert not {person.name for person in people} & {person.name for person in CAST}
    assert not {(person.skin, person.clothes) for person in people} & {(other.skin, other.clothes) for other in CAST}
    assert len({(person.skin, person.clothes, person.hair) for person in people}) == 60


def test_the_crowd_is_varied_in_what_a_denoiser_must_learn():
    people = [person for person, _ in crowd(120, 0)]
    lightness = np.array([sum(person.skin) for person in people])
    assert lightness.min() < 0.5
    assert lightness.max() > 1.5
    assert 0.35 < np.mean([person.body.sex for person in people]) < 0.65
    assert len({person.hair.style for person in people}) == 9
    assert len({person.backdrop.room for person in people}) == 8
    assert len({person.clothes.pattern for person in people}) == 5
    assert 0.1 < np.mean([person.glasses is not None for person in people]) < 0.35
    assert np.std([person.clothes.colour for person in people], axis=0).min() > 0.1
    colours = [colour for person in people for colour in (person.skin, person.iris, person.hair.colour)]
    assert 0 < np.min(colours) < np.max(colours) < 1


def test_one_in_twenty_five_is_held_out_whole():
    lines = [line for _, line in crowd(100, 0)]
    assert [line.speaker for line in lines if line.split == "test"] == [f"crowd-{n:04d}" for n in (24, 49, 74, 99)]
    assert all(1 < line.tempo < 3 for line in lines)

"""Sample any number of random people for pretraining: each says one short phrase and gestures briskly.

Person n depends only on the seed and on n, so a crowd can grow without changing earlier people.
"""

from typing import cast, get_args

import numpy as np

from cospeech.corpus.cast import Backdrop, Body, Clothes, Colour, Hair, HairStyle, Pattern, Person, Room, Voice
from cospeech.corpus.script import Line, Split

_SKIN = np.array([(0.74, 0.55, 0.45), (0.64, 0.44, 0.34), (0.52, 0.34, 0.23), (0.38, 0.22, 0.14), (0.16, 0.09, 0.055)])
"""Linear reflectances, from light to dark."""
_LIGHTEST_TO_DARKEST = {"african": (2.6, 4.0), "asian": (0.4, 2.4), "caucasian": (0.0, 2.0)}
_HAIR = np.array(
    [
        (0.011, 0.010, 0.010), (0.030, 0.019, 0.013), (0.085, 0.045, 0.024), (0.16, 0.075, 0.035),
        (0.30, 0.095, 0.035), (0.42, 0.28, 0.13), (0.11, 0.10, 0.10), (0.27, 0.26, 0.25), (0.58, 0.56, 0.53),
    ]
)  # fmt: skip
_YOUNG, _FAIR, _GREY = slice(0, 3), slice(2, 6), slice(6, 9)
_IRIS = np.array(
    [(0.075, 0.035, 0.014), (0.035, 0.018, 0.010), (0.10, 0.18, 0.27), (0.10, 0.14, 0.07), (0.13, 0.085, 0.03)]
)
_MEN: tuple[HairStyle, ...] = ("bald", "buzz", "short", "short", "quiff", "curls")
_WOMEN: tuple[HairStyle, ...] = ("bob", "long", "long", "bun", "ponytail", "curls", "short")
_PHRASES = (
    "Maybe we can begin.",
    "Both of them are here.",
    "What a beautiful morning.",
    "Open the window, please.",
    "I believe you are right.",
    "Put it on the table.",
    "Every map shows the way.",
    "Show me how it works.",
    "Nobody knew the answer.",
    "We move a bit faster.",
    "Five of these are blue.",
    "Thank you very much.",
    "Look at the big picture.",
    "My father plays the flute.",
    "This problem is not new.",
    "You should have seen it.",
)
_TEMPO = (1.4, 2.2)
_HELD_OUT = 25


def crowd(count: int, seed: int) -> list[tuple[Person, Line]]:
    """Return people named crowd-0000 and on, with their lines; one in `_HELD_OUT` is for testing."""
    return [_draw(index, np.random.default_rng([seed, index])) for index in range(count)]


def _draw(index: int, rng: np.random.Generator) -> tuple[Person, Line]:
    name = f"crowd-{index:04d}"
    body, skin = _body(rng)
    woman = body.sex > 0.5
    person = Person(
        name,
        body,
        skin=skin,
        iris=_colour(_IRIS[rng.integers(2) if body.african + body.asian > 0.5 else rng.integers(len(_IRIS))]),
        hair=_hair(rng, body, woman),
        clothes=Clothes(
            _dye(rng),
            _dye(rng),
            cast("Pattern", rng.choice(get_args(Pattern))),
            sleeve=float(rng.choice([0.36, 0.70, 0.93]) + rng.normal(0, 0.01)),
            neck=float(rng.uniform(0.025, 0.05)),
        ),
        backdrop=Backdrop(cast("Room", rng.choice(get_args(Room))), _wall(rng), _dye(rng)),
        voice=Voice(f"en-us+{'f' if woman else 'm'}{rng.integers(1, 6)}", int(rng.integers(30, 64)), 175),
        seed=int(rng.integers(1000, 1_000_000)),
        glasses=_dye(rng, darkest=0.02, lightest=0.12) if rng.random() < 0.2 else None,
    )
    phrase = _PHRASES[rng.integers(len(_PHRASES))]
    split: Split = "test" if index % _HELD_OUT == _HELD_OUT - 1 else "train"
    return person, Line(f"{name}-1", name, split, phrase, int(rng.integers(1 << 31)), float(rng.uniform(*_TEMPO)))


def _body(rng: np.random.Generator) -> tuple[Body, Colour]:
    """Sample a body, mostly of one origin, and a matching skin."""
    origins = ("african", "asian", "caucasian")
    share = rng.dirichlet((0.35, 0.35, 0.35))
    shade = sum(part * rng.uniform(*_LIGHTEST_TO_DARKEST[origin]) for part, origin in zip(share, origins, strict=True))
    low = min(int(shade), len(_SKIN) - 2)
    skin = _SKIN[low] + (shade - low) * (_SKIN[low + 1] - _SKIN[low])
    body = Body(
        sex=float(rng.integers(2)),
        age=float(rng.uniform(0.46, 0.88)),
        weight=float(rng.uniform(0.38, 0.70)),
        muscle=float(rng.uniform(0.38, 0.66)),
        height=float(rng.uniform(0.40, 0.62)),
        african=float(share[0]),
        asian=float(share[1]),
        caucasian=float(share[2]),
    )
    return body, _colour(skin * rng.uniform(0.9, 1.1) * rng.uniform(0.97, 1.03, 3))


def _hair(rng: np.random.Generator, body: Body, woman: bool) -> Hair:
    style = (_WOMEN if woman else _MEN)[rng.integers(len(_WOMEN if woman else _MEN))]
    grey = rng.random() < (body.age - 0.55) / 0.3
    tones = _HAIR[_GREY if grey else _FAIR if rng.random() < 0.6 * body.caucasian else _YOUNG]
    colour = tones[rng.integers(len(tones))] * rng.uniform(0.8, 1.25)
    beard = 0.0 if woman or rng.random() < 0.5 else float(rng.uniform(0.35, 1.0))
    return Hair(style, _colour(colour), beard)


def _dye(rng: np.random.Generator, darkest: float = 0.03, lightest: float = 0.75) -> Colour:
    """Sample a colour of any hue, more often muted than bright."""
    value = darkest * (lightest / darkest) ** rng.random()
    tint = 1 + rng.beta(1.2, 2.5) * (rng.dirichlet((0.6, 0.6, 0.6)) * 3 - 1)
    return _colour(value * tint / tint.max())


def _wall(rng: np.random.Generator) -> Colour:
    return _colour(rng.uniform(0.22, 0.62) * rng.uniform(0.86, 1.08, 3))


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = (float(value) for value in np.clip(values, 0.005, 0.9))
    return red, green, blue

"""The script: who says what, and which clips are held out from training."""

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Line:
    """One clip. name: file name without suffix. tempo: factor by which the speaker moves faster than usual."""

    name: str
    speaker: str
    split: Split
    text: str
    seed: int
    tempo: float = 1.0


_TRAIN = {
    "adam": (
        "Hello everyone, welcome back. Today I want to show you how people move their hands.",
        "First we measure the problem, then we build a simple model, and then we publish it.",
    ),
    "mei": (
        "Please open both of your palms and follow the rhythm, above all do not hurry.",
        "My brother bought a big map of Beijing, and we planned the whole trip by bus.",
    ),
    "kwame": (
        "The weather by the coast is warm, but the mountains may be covered with snow.",
        "A good bridge moves a little in the wind. That is how it keeps from breaking.",
    ),
    "ines": (
        "Bring the butter to room temperature, beat it with sugar, and fold in the flour.",
        "We opened the museum before noon, and a hundred people were already waiting.",
    ),
    "rahul": (
        "This graph shows the number of passengers, month by month, over five years.",
        "Maybe the pump is blocked. Open the valve slowly, and watch the pressure drop.",
    ),
    "sofia": (
        "I play the piano every morning, usually something by Brahms or Bartok.",
        "If you have a question, please put up your hand, and somebody will help you.",
    ),
    "henrik": (
        "When I was a boy, my father mended every fishing boat in this village.",
        "Both methods give the same number, so perhaps the simpler one is better.",
    ),
    "amara": (
        "Our team shipped the first version in May, and the feedback was wonderful.",
        "Keep your shoulders loose, breathe out, and push the ball with both arms.",
    ),
    "kenji": (
        "The train leaves from platform nine, and it stops three times before Kobe.",
        "Imagine a map where every point remembers the people who passed by.",
    ),
    "leila": (
        "Some words travel far. The name of this fabric comes from an old port.",
        "Before we begin, let me explain why the second experiment did not work.",
    ),
    "diego": (
        "We painted the front of the house blue, and my mother picked the purple door.",
        "On Sunday the market is full of peppers, mangoes, bread and fresh coffee.",
    ),
    "ruth": (
        "Remember to water the plants twice a week, but never in the bright sun.",
        "My grandmother kept bees, and the whole family helped with the honey.",
    ),
}
_HELD_OUT_CLIPS = {
    "mei": "The committee will publish a report about public transport in November.",
    "kwame": "Let me put it simply: above the river we built a path for everybody.",
    "sofia": "Both of my sisters moved abroad, so we meet by video every month.",
    "henrik": "Perhaps the most important map is the one that you make by hand.",
}
_HELD_OUT_PEOPLE = {
    "noor": (
        "Here is an example. Push the button, wait a moment, and the lamp comes on.",
        "People often remember a number better when you also give them a picture of it.",
    ),
    "tomas": (
        "The bottom of the bottle is made from recycled paper, and so is the box.",
        "I have three points to make, and the third may be the most surprising.",
    ),
}

_TAKES = {"amara-1": 3, "noor-2": 1}
"""Clips whose first take was bad (a hand hidden from the detector), and the take that is used."""


def _lines() -> tuple[Line, ...]:
    spoken: list[tuple[str, Split, str]] = []
    for speaker, texts in _TRAIN.items():
        spoken += [(speaker, "train", text) for text in texts]
        if speaker in _HELD_OUT_CLIPS:
            spoken.append((speaker, "test", _HELD_OUT_CLIPS[speaker]))
    for speaker, texts in _HELD_OUT_PEOPLE.items():
        spoken += [(speaker, "test", text) for text in texts]
    count: dict[str, int] = {}
    lines = []
    for index, (speaker, split, text) in enumerate(spoken):
        count[speaker] = count.get(speaker, 0) + 1
        name = f"{speaker}-{count[speaker]}"
        lines.append(Line(name, speaker, split, text, seed=500 + index + 1000 * _TAKES.get(name, 0)))
    return tuple(lines)


SCRIPT: tuple[Line, ...] = _lines()

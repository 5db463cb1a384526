"""The people of the embedded corpus: hand-made, none of them a portrait of anyone."""

from dataclasses import dataclass
from typing import Literal

Colour = tuple[float, float, float]
"""Linear RGB reflectance, 0..1."""

HairStyle = Literal["bald", "buzz", "short", "quiff", "curls", "bob", "long", "bun", "ponytail"]
Pattern = Literal["plain", "stripes", "placket", "check", "dots"]
Room = Literal["studio", "wall", "bookshelf", "window", "curtain", "lamp", "kitchen", "office"]


@dataclass(frozen=True)
class Body:
    """Phenotype of the body model, each 0..1. sex: 0 male, 1 female. age: 0.5 is about 25 years, 1 about 90."""

    sex: float
    age: float
    weight: float = 0.5
    muscle: float = 0.5
    height: float = 0.5
    african: float = 0.0
    asian: float = 0.0
    caucasian: float = 0.0


@dataclass(frozen=True)
class Hair:
    """Hair and beard."""

    style: HairStyle
    colour: Colour
    beard: float = 0.0
    """0 none, 0.5 stubble, 1 full."""


@dataclass(frozen=True)
class Clothes:
    """Clothes. sleeve: covered share of the arm from shoulder to wrist. neck: depth of the neckline, metres."""

    colour: Colour
    second: Colour
    pattern: Pattern
    sleeve: float
    neck: float = 0.03


@dataclass(frozen=True)
class Backdrop:
    """The room behind the speaker, with the colour of its wall and an accent."""

    room: Room
    wall: Colour
    accent: Colour


@dataclass(frozen=True)
class Voice:
    """An eSpeak NG voice. pitch: 0..100. rate: words per minute."""

    name: str
    pitch: int
    rate: int = 160


@dataclass(frozen=True)
class Person:
    """One person of the corpus."""

    name: str
    body: Body
    skin: Colour
    iris: Colour
    hair: Hair
    clothes: Clothes
    backdrop: Backdrop
    voice: Voice
    seed: int
    glasses: Colour | None = None


_BLACK, _DARK, _BROWN = (0.012, 0.010, 0.010), (0.030, 0.019, 0.013), (0.085, 0.045, 0.024)
_CHESTNUT, _BLOND, _RED = (0.16, 0.075, 0.035), (0.42, 0.28, 0.13), (0.30, 0.095, 0.035)
_GREY, _WHITE, _SALT = (0.27, 0.26, 0.25), (0.58, 0.56, 0.53), (0.11, 0.10, 0.10)
_BROWN_EYES, _DARK_EYES = (0.075, 0.035, 0.014), (0.035, 0.018, 0.010)
_BLUE_EYES, _GREEN_EYES, _HAZEL_EYES = (0.10, 0.18, 0.27), (0.10, 0.14, 0.07), (0.13, 0.085, 0.03)

CAST: tuple[Person, ...] = (
    Person(
        "adam",
        Body(sex=0.0, age=0.56, weight=0.5, muscle=0.58, height=0.55, caucasian=1.0),
        skin=(0.62, 0.41, 0.31),
        iris=_BLUE_EYES,
        hair=Hair("quiff", _BROWN),
        clothes=Clothes((0.055, 0.085, 0.19), (0.5, 0.5, 0.52), "placket", sleeve=0.94),
        backdrop=Backdrop("bookshelf", (0.46, 0.42, 0.36), (0.20, 0.12, 0.07)),
        voice=Voice("en-us+m3", 40),
        seed=11,
    ),
    Person(
        "mei",
        Body(sex=1.0, age=0.50, weight=0.42, muscle=0.4, height=0.45, asian=1.0),
        skin=(0.68, 0.49, 0.36),
        iris=_DARK_EYES,
        hair=Hair("bob", _BLACK),
        clothes=Clothes((0.52, 0.13, 0.12), (0.72, 0.62, 0.55), "stripes", sleeve=0.37),
        backdrop=Backdrop("window", (0.47, 0.52, 0.55), (0.72, 0.78, 0.80)),
        voice=Voice("en-us+f2", 60),
        seed=12,
    ),
    Person(
        "kwame",
        Body(sex=0.0, age=0.60, weight=0.58, muscle=0.66, height=0.62, african=1.0),
        skin=(0.21, 0.115, 0.070),
        iris=_DARK_EYES,
        hair=Hair("buzz", _BLACK, beard=0.7),
        clothes=Clothes((0.60, 0.57, 0.50), (0.16, 0.14, 0.12), "plain", sleeve=0.37),
        backdrop=Backdrop("wall", (0.23, 0.31, 0.32), (0.52, 0.34, 0.16)),
        voice=Voice("en-gb-x-rp+m7", 34),
        seed=13,
    ),
    Person(
        "ines",
        Body(sex=1.0, age=0.68, weight=0.6, muscle=0.42, height=0.45, african=0.15, asian=0.1, caucasian=0.75),
        skin=(0.50, 0.31, 0.21),
        iris=_HAZEL_EYES,
        hair=Hair("long", _CHESTNUT),
        clothes=Clothes((0.085, 0.24, 0.18), (0.55, 0.56, 0.46), "plain", sleeve=0.93, neck=0.045),
        backdrop=Backdrop("lamp", (0.50, 0.43, 0.36), (0.85, 0.62, 0.34)),
        voice=Voice("en-us+f4", 54),
        seed=14,
    ),
    Person(
        "rahul",
        Body(sex=0.0, age=0.53, weight=0.45, muscle=0.5, height=0.5, african=0.1, asian=0.3, caucasian=0.6),
        skin=(0.38, 0.22, 0.135),
        iris=_BROWN_EYES,
        hair=Hair("short", _BLACK, beard=0.55),
        clothes=Clothes((0.44, 0.50, 0.58), (0.15, 0.19, 0.30), "check", sleeve=0.70),
        backdrop=Backdrop("office", (0.52, 0.53, 0.54), (0.20, 0.27, 0.36)),
        voice=Voice("en-us+m1", 46),
        seed=15,
        glasses=(0.02, 0.02, 0.022),
    ),
    Person(
        "sofia",
        Body(sex=1.0, age=0.47, weight=0.45, muscle=0.42, height=0.5, caucasian=1.0),
        skin=(0.70, 0.49, 0.39),
        iris=_GREEN_EYES,
        hair=Hair("ponytail", _RED),
        clothes=Clothes((0.62, 0.60, 0.57), (0.10, 0.16, 0.28), "stripes", sleeve=0.70),
        backdrop=Backdrop("curtain", (0.33, 0.40, 0.44), (0.55, 0.60, 0.61)),
        voice=Voice("en-us+f3", 62),
        seed=16,
    ),
    Person(
        "henrik",
        Body(sex=0.0, age=0.82, weight=0.55, muscle=0.48, height=0.55, caucasian=1.0),
        skin=(0.64, 0.42, 0.33),
        iris=_BLUE_EYES,
        hair=Hair("short", _WHITE, beard=0.9),
        clothes=Clothes((0.20, 0.085, 0.075), (0.5, 0.46, 0.4), "plain", sleeve=0.94),
        backdrop=Backdrop("studio", (0.40, 0.42, 0.44), (0.58, 0.58, 0.57)),
        voice=Voice("en-us+m4", 30, 152),
        seed=17,
        glasses=(0.10, 0.06, 0.03),
    ),
    Person(
        "amara",
        Body(sex=1.0, age=0.54, weight=0.52, muscle=0.48, height=0.55, african=0.95, caucasian=0.05),
        skin=(0.27, 0.15, 0.092),
        iris=_DARK_EYES,
        hair=Hair("curls", _BLACK),
        clothes=Clothes((0.70, 0.47, 0.10), (0.78, 0.66, 0.38), "dots", sleeve=0.36),
        backdrop=Backdrop("wall", (0.55, 0.50, 0.45), (0.24, 0.34, 0.29)),
        voice=Voice("en-us+f1", 56),
        seed=18,
    ),
    Person(
        "kenji",
        Body(sex=0.0, age=0.66, weight=0.5, muscle=0.45, height=0.45, asian=1.0),
        skin=(0.58, 0.39, 0.27),
        iris=_DARK_EYES,
        hair=Hair("short", _SALT),
        clothes=Clothes((0.075, 0.078, 0.085), (0.5, 0.5, 0.5), "plain", sleeve=0.90),
        backdrop=Backdrop("kitchen", (0.58, 0.56, 0.52), (0.34, 0.43, 0.40)),
        voice=Voice("en-us+m2", 42),
        seed=19,
    ),
    Person(
        "leila",
        Body(sex=1.0, age=0.58, weight=0.5, muscle=0.42, height=0.5, asian=0.2, caucasian=0.8),
        skin=(0.56, 0.37, 0.26),
        iris=_BROWN_EYES,
        hair=Hair("long", _DARK),
        clothes=Clothes((0.19, 0.13, 0.30), (0.6, 0.56, 0.6), "plain", sleeve=0.70, neck=0.05),
        backdrop=Backdrop("window", (0.56, 0.50, 0.44), (0.80, 0.80, 0.74)),
        voice=Voice("en-gb-x-rp+f2", 52),
        seed=20,
        glasses=(0.13, 0.05, 0.045),
    ),
    Person(
        "diego",
        Body(sex=0.0, age=0.50, weight=0.66, muscle=0.5, height=0.5, african=0.15, asian=0.25, caucasian=0.6),
        skin=(0.47, 0.285, 0.19),
        iris=_BROWN_EYES,
        hair=Hair("curls", _DARK),
        clothes=Clothes((0.13, 0.33, 0.36), (0.62, 0.62, 0.55), "stripes", sleeve=0.37),
        backdrop=Backdrop("bookshelf", (0.36, 0.42, 0.40), (0.30, 0.20, 0.12)),
        voice=Voice("en-us+m6", 48),
        seed=21,
    ),
    Person(
        "ruth",
        Body(sex=1.0, age=0.85, weight=0.5, muscle=0.4, height=0.4, caucasian=1.0),
        skin=(0.66, 0.46, 0.37),
        iris=_BLUE_EYES,
        hair=Hair("bun", _GREY),
        clothes=Clothes((0.36, 0.45, 0.56), (0.65, 0.65, 0.66), "check", sleeve=0.93),
        backdrop=Backdrop("lamp", (0.43, 0.40, 0.44), (0.80, 0.66, 0.45)),
        voice=Voice("en-us+f5", 44, 152),
        seed=22,
    ),
    Person(
        "noor",
        Body(sex=1.0, age=0.52, weight=0.48, muscle=0.45, height=0.5, african=0.35, asian=0.25, caucasian=0.4),
        skin=(0.42, 0.25, 0.16),
        iris=_BROWN_EYES,
        hair=Hair("bun", _DARK),
        clothes=Clothes((0.045, 0.17, 0.21), (0.5, 0.5, 0.48), "plain", sleeve=0.72, neck=0.04),
        backdrop=Backdrop("curtain", (0.44, 0.38, 0.34), (0.66, 0.60, 0.52)),
        voice=Voice("en-us+f2", 50),
        seed=23,
    ),
    Person(
        "tomas",
        Body(sex=0.0, age=0.58, weight=0.48, muscle=0.56, height=0.58, caucasian=0.9, asian=0.1),
        skin=(0.64, 0.44, 0.33),
        iris=_GREEN_EYES,
        hair=Hair("short", _BLOND, beard=0.5),
        clothes=Clothes((0.24, 0.28, 0.22), (0.60, 0.57, 0.48), "placket", sleeve=0.72),
        backdrop=Backdrop("office", (0.40, 0.45, 0.50), (0.58, 0.46, 0.32)),
        voice=Voice("en-us+m5", 44),
        seed=24,
    ),
)

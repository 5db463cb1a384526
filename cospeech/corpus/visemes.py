"""Map phones to mouth shapes: what the face does during speech."""

from collections.abc import Sequence

import numpy as np

from cospeech.corpus.speech_synthesis import Interval

Shape = dict[str, float]
"""Weights of ARKit blendshapes, 0..1. A name without Left or Right means both sides."""

_SIDED = ("mouthPress", "mouthLowerDown", "mouthUpperUp", "mouthStretch", "mouthSmile")

VISEMES: dict[str, Shape] = {
    "rest": {},
    "pbm": {"mouthPress": 0.5, "mouthRollLower": 0.22, "mouthRollUpper": 0.22},
    "fv": {"jawOpen": 0.06, "mouthRollLower": 0.55, "mouthUpperUp": 0.35},
    "aa": {"jawOpen": 0.46, "mouthLowerDown": 0.25, "mouthUpperUp": 0.22},
    "ah": {"jawOpen": 0.30, "mouthLowerDown": 0.25, "mouthUpperUp": 0.12},
    "eh": {"jawOpen": 0.26, "mouthStretch": 0.3, "mouthLowerDown": 0.3, "mouthUpperUp": 0.15},
    "ih": {"jawOpen": 0.15, "mouthSmile": 0.3, "mouthStretch": 0.35, "mouthLowerDown": 0.3, "mouthUpperUp": 0.12},
    "oh": {"jawOpen": 0.31, "mouthFunnel": 0.55, "mouthPucker": 0.25},
    "uu": {"jawOpen": 0.10, "mouthPucker": 0.75, "mouthFunnel": 0.25},
    "sh": {"jawOpen": 0.07, "mouthFunnel": 0.6, "mouthPucker": 0.15},
    "ss": {"jawOpen": 0.07, "mouthStretch": 0.25, "mouthLowerDown": 0.35, "mouthUpperUp": 0.12},
    "th": {"jawOpen": 0.16, "tongueOut": 0.35, "mouthLowerDown": 0.15},
    "dn": {"jawOpen": 0.15, "mouthLowerDown": 0.2, "mouthUpperUp": 0.08},
    "kg": {"jawOpen": 0.2, "mouthLowerDown": 0.1},
    "rr": {"jawOpen": 0.14, "mouthPucker": 0.4, "mouthFunnel": 0.2},
}
_PHONES = {
    "pbm": "pbm",
    "fv": "fv",
    "aɑæɐ": "aa",
    "ʌəɜɚ": "ah",
    "eɛ": "eh",
    "iɪyj": "ih",
    "oɔɒ": "oh",
    "uʊw": "uu",
    "ʃʒ": "sh",
    "sz": "ss",
    "θð": "th",
    "tdnlɾ": "dn",
    "kgŋhxɡʔ": "kg",
    "ɹrʁ": "rr",
}
_OF_SIGN = {sign: viseme for signs, viseme in _PHONES.items() for sign in signs}
_RATE = 200
"""Rate of the mouth track before smoothing and sampling at frame times, Hz."""
_SMOOTHING, _CLOSING = 0.026, 0.022
"""Seconds: standard deviation of coarticulation, and how long before a bilabial's onset the lips close."""


def viseme_sequence(phone: str) -> tuple[str, ...]:
    """Return the mouth shapes of one IPA phone: two for a diphthong, "rest" for silence.

    >>> viseme_sequence("oʊ"), viseme_sequence("tʃ"), viseme_sequence("")
    (('oh', 'uu'), ('sh',), ('rest',))
    """
    if not phone:
        return ("rest",)
    if "ʃ" in phone or "ʒ" in phone:
        return ("sh",)
    shapes = [_OF_SIGN[sign] for sign in phone if sign in _OF_SIGN]
    if not shapes:
        return ("ah",)
    return tuple(shape for index, shape in enumerate(shapes[:2]) if index == 0 or shape != shapes[0])


def blendshape_names() -> tuple[str, ...]:
    """Return the ARKit names of all blendshapes that mouth shapes use, sorted."""
    return tuple(sorted({side for shape in VISEMES.values() for name in shape for side in _sides(name)}))


def mouth_tracks(phones: Sequence[Interval], times: np.ndarray) -> dict[str, np.ndarray]:
    """Return blendshape weights at `times`.

    Args:
        phones: in order, covering the clip.
        times: (T,) seconds.

    Returns:
        ARKit name -> (T,) weights in 0..1.
    """
    from scipy.ndimage import gaussian_filter1d

    names = blendshape_names()
    length = int(np.ceil(phones[-1].end * _RATE)) + 1
    track = np.zeros((length, len(names)))
    closed = np.zeros(length)
    for phone in phones:
        shapes = viseme_sequence(phone.text)
        edges = np.linspace(phone.start, phone.end, len(shapes) + 1)
        for shape, start, end in zip(shapes, edges[:-1], edges[1:], strict=True):
            early = _CLOSING if shape == "pbm" else 0.0
            first, last = max(0, round((start - early) * _RATE)), max(round(end * _RATE), round(start * _RATE) + 1)
            track[first:last] = _weights(shape, names)
            closed[first:last] = float(shape == "pbm")
    track = gaussian_filter1d(track, _SMOOTHING * _RATE, axis=0)
    _close_lips(track, names, gaussian_filter1d(closed, 0.012 * _RATE))
    at = np.arange(length) / _RATE
    return {name: np.interp(times, at, track[:, index]) for index, name in enumerate(names)}


def _close_lips(track: np.ndarray, names: tuple[str, ...], closed: np.ndarray) -> None:
    """Close the lips at the centre of bilabials, which smoothing opens when they are short."""
    target = _weights("pbm", names)
    weight = np.clip(closed * 1.3, 0, 1)[:, None]
    track[:] = track * (1 - weight) + target * weight


def _weights(viseme: str, names: tuple[str, ...]) -> np.ndarray:
    shape = {side: value for name, value in VISEMES[viseme].items() for side in _sides(name)}
    return np.array([shape.get(name, 0.0) for name in names])


def _sides(name: str) -> tuple[str, ...]:
    return (f"{name}Left", f"{name}Right") if name in _SIDED else (name,)

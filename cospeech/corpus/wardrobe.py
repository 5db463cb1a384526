"""Determine which part of the body a garment covers."""

import numpy as np

from cospeech.corpus.body import SIDES, Actor, unit
from cospeech.corpus.cast import Clothes
from cospeech.corpus.mesh import smoothstep


def coverage(actor: Actor, clothes: Clothes, scale: float) -> np.ndarray:
    """Return the distance of each rest vertex inside the garment's nearest edge, (V,) metres; negative outside."""
    rest, heads = actor.rest, actor.heads
    along, away = np.zeros(len(rest)), np.full(len(rest), np.inf)
    length = 1.0
    for side in SIDES:
        shoulder, wrist = heads[f"upperarm01.{side}"], heads[f"wrist.{side}"]
        arm = wrist - shoulder
        length = float(np.linalg.norm(arm))
        own = np.sign(rest[:, 0]) == np.sign(shoulder[0])
        offset = rest - shoulder
        along[own] = (offset @ arm / length)[own]
        away[own] = np.linalg.norm(offset - np.outer(offset @ unit(arm), unit(arm)), axis=1)[own]
    aside, shoulder_aside = np.abs(rest[:, 0]), abs(heads["upperarm01.L"][0])
    on_arm = (aside > shoulder_aside) & ((away < 0.10 * scale) | (aside > 1.35 * shoulder_aside))
    neck = heads["neck01"]
    scoop = clothes.neck * scale * np.exp(-((aside / 0.050) ** 2)) * smoothstep(0.01, -0.04, rest[:, 1] - neck[1])
    neckline = neck[2] - 0.004 - scoop
    return np.where(on_arm, clothes.sleeve * length - along, neckline - rest[:, 2])

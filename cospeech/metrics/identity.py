"""Is it still the same person: cosine of face features.

Axes: T frames, D features.
"""

import numpy as np


def identity_similarity(made_TD: np.ndarray, real_TD: np.ndarray, found_T: np.ndarray) -> float | None:
    """Mean over frames of the cosine between the face features of a generated frame and those of the real one.

    <a, b> / (|a| |b|), over the frames in which both faces are found. Without unit, -1..1; higher is better. With
    ArcFace features it is the CSIM of the talking-head literature (Zakharov et al., ICCV 2019). (T, D) twice, (T,)
    bool; None where no face is found.
    """
    if not found_T.any():
        return None
    made, real = (part[found_T].astype(np.float64) for part in (made_TD, real_TD))
    lengths = np.linalg.norm(made, axis=1) * np.linalg.norm(real, axis=1)
    return float(((made * real).sum(1) / np.maximum(lengths, 1e-12)).mean())

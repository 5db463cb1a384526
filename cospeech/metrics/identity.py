"""Is it still the same person, and does the face say the same: face features and expression coefficients.

Axes: T frames, D features, E coefficients.
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


def expression_distance(made_TE: np.ndarray, real_TE: np.ndarray, found_T: np.ndarray) -> float | None:
    """Mean over frames of the Euclidean distance of expression coefficients (how far each blendshape is put on, 0..1).

    Over the frames in which both faces are found. 0 to the root of E; lower is better. With MediaPipe's 52 coefficients
    it is not the E-FID of papers, whose coefficients are those of Deep3DFaceRecon and whose distance is Fréchet's. (T,
    E) twice, (T,) bool; None where no face is found.
    """
    if not found_T.any():
        return None
    difference = made_TE[found_T].astype(np.float64) - real_TE[found_T]
    return float(np.linalg.norm(difference, axis=1).mean())

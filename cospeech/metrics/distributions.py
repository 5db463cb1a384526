"""How far a set of generated things is from a set of real ones, by what a network sees in them.

Axes: N things, D features.
"""

import numpy as np


def frechet_distance(made_ND: np.ndarray, real_ND: np.ndarray) -> float | None:
    """Fréchet distance of the Gaussians that have the mean m and covariance C of either set.

    |m_1 - m_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2)), covariances over N - 1. In squared units of the features, from 0
    upwards, 0 where mean and covariance agree; lower is better. Dowson and Landau 1982. With Inception-v3 features it
    is FID (Heusel et al., NeurIPS 2017), with I3D logits FVD (Unterthiner et al. 2018), with a motion encoder's FGD
    (Yoon et al., SIGGRAPH Asia 2020). The fewer the things, the higher it comes out: compare at equal N only.
    (N, D) and (M, D); None where a set has fewer than two.

    The trace of the root is the sum of the singular values of X_1 X_2^T / sqrt((N - 1)(M - 1)), X the centred sets:
    the eigenvalues of C_1 C_2 are their squares. So no root of a singular D x D matrix is taken.
    """
    if min(len(made_ND), len(real_ND)) < 2:
        return None
    made, real = made_ND.astype(np.float64), real_ND.astype(np.float64)
    made_mean, real_mean = made.mean(0), real.mean(0)
    made, real = (made - made_mean) / (len(made) - 1) ** 0.5, (real - real_mean) / (len(real) - 1) ** 0.5
    root = np.linalg.svd(made @ real.T, compute_uv=False).sum()
    distance = np.square(made_mean - real_mean).sum() + np.square(made).sum() + np.square(real).sum() - 2 * root
    return float(max(distance, 0.0))

"""Rigid moving least squares in the plane (Schaefer, McPhail, Warren, SIGGRAPH 2006), in complex numbers.

Axes: B deformations, M control points, N points.
"""

import torch

_FINEST = 0.01
"""Distance, in picture sides, below which a control point's pull grows no more; then it falls with the third power."""


def squared(number: torch.Tensor) -> torch.Tensor:
    """|z|^2; `abs` of complex tensors takes three times as long on a processor, for it guards against overflow."""
    return number.real.square() + number.imag.square()


def deform_rigidly(
    point_N: torch.Tensor, control_BM: torch.Tensor, moved_BM: torch.Tensor, weight_BM: torch.Tensor
) -> torch.Tensor:
    """Where points go when control points go from `control_BM` to `moved_BM`: (B, N) complex.

    Points are x + i y in picture sides. weight_BM: how much each control point counts, 0 for not at all.
    Near each point the motion is the rotation and shift that fit the control points best, the near ones above all.
    """
    near_BNM = squared(point_N[None, :, None] - control_BM[:, None]) + _FINEST**2
    w_BNM = weight_BM[:, None] / (near_BNM * near_BNM.sqrt())
    w_BNM = w_BNM / w_BNM.sum(2, keepdim=True).clamp(min=1e-12)
    mixed = torch.complex(w_BNM, torch.zeros_like(w_BNM))
    p_BN, q_BN = ((mixed @ x[..., None])[..., 0] for x in (control_BM, moved_BM))
    # eq. 8 of the paper in complex numbers: the best rotation is the direction of the weighted correlation
    turn = (mixed @ (control_BM.conj() * moved_BM)[..., None])[..., 0] - p_BN.conj() * q_BN
    turn = turn / turn.abs().clamp(min=1e-9)
    return q_BN + (point_N - p_BN) * turn

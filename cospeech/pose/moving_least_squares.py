"""Rigid moving least squares in the plane (Schaefer, McPhail, Warren, SIGGRAPH 2006), in complex numbers.

Axes: B deformations, M control points, N points.
"""

import torch

_FINEST = 0.01
"""Distance, in picture sides, below which a control point's pull grows no more; then it falls with the third power."""


def squared_distance(point_N: torch.Tensor, other_BM: torch.Tensor) -> torch.Tensor:
    """|z - w|^2 of all pairs, (B, M, N). In real numbers that lie side by side, for a processor's vector units."""
    across = point_N.real.contiguous() - other_BM.real[..., None]
    down = point_N.imag.contiguous() - other_BM.imag[..., None]
    return torch.addcmul(across * across, down, down)


def deform_rigidly(
    point_N: torch.Tensor, control_BM: torch.Tensor, moved_BM: torch.Tensor, weight_BM: torch.Tensor
) -> torch.Tensor:
    """Where points go when control points go from `control_BM` to `moved_BM`: (B, N) complex.

    Points are x + i y in picture sides. weight_BM: how much each control point counts, 0 for not at all.
    Near each point the motion is the rotation and shift that fit the control points best, the near ones above all.
    """
    near_BMN = squared_distance(point_N, control_BM) + _FINEST**2
    w_BMN = weight_BM[..., None] / (near_BMN * near_BMN.sqrt())
    # eq. 8 of the paper in complex numbers: the best rotation is the direction of the weighted correlation
    p_BN, q_BN, both_BN = _means(w_BMN, control_BM, moved_BM, control_BM.conj() * moved_BM)
    turn_BN = both_BN - p_BN.conj() * q_BN
    turn_BN = turn_BN / turn_BN.abs().clamp(min=1e-9)
    return q_BN + (point_N - p_BN) * turn_BN


def _means(w_BMN: torch.Tensor, *numbers_BM: torch.Tensor) -> list[torch.Tensor]:
    """Weighted means over M of complex numbers, each (B, N): one product for all of them and the sum of the weights."""
    columns = [torch.view_as_real(each.resolve_conj()) for each in numbers_BM]
    columns_BMC = torch.cat([*columns, torch.ones_like(columns[0][..., :1])], -1)
    with torch.autocast(w_BMN.device.type, enabled=False):  # bfloat16 has not the digits for a place
        sums_BCN = columns_BMC.mT @ w_BMN
    means_BCN = sums_BCN[:, :-1] / sums_BCN[:, -1:].clamp(min=1e-12)
    return [torch.complex(*pair_B2N.unbind(1)) for pair_B2N in means_BCN.split(2, 1)]

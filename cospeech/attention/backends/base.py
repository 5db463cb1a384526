"""What every backend is: the tables it makes of a plan, with the attention that reads them.

Axes: B batch, M = T*N tokens (T frames of N), H heads, D head width.
"""

from typing import Protocol

import torch

from ..plan import Tables


class Backend(Tables, Protocol):
    """Input-aware sparse attention under one plan; `plan.tables(Gathered)` is the gathered backend for `plan`."""

    def attend(self, q_BMHD: torch.Tensor, k_BMHD: torch.Tensor, v_BMHD: torch.Tensor) -> torch.Tensor:
        """softmax(q k^T / sqrt(D) + M) v with M of eq. 3, arXiv 2510.02617: (B, M, H, D), frame by frame."""

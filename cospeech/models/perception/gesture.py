"""What FGD looks through: the code of an autoencoder of motion, trained on the corpus (Yoon et al. 2020).

Axes: B batch, T frames of a window, Q coordinates in shoulder widths, W width, D code.
"""

import torch
from torch import nn

WINDOW = 32
"""Frames a window."""


class GestureEncoder(nn.Module):
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, coordinates: int, width: int = 64, code: int = 32) -> None:
        super().__init__()
        short = WINDOW // 4
        self.encoder = nn.Sequential(
            nn.Conv1d(coordinates, width, 5, 2, 2),
            nn.SiLU(),
            nn.Conv1d(width, width, 5, 2, 2),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(width * short, code),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, width * short),
            nn.Unflatten(1, (width, short)),
            nn.SiLU(),
            nn.ConvTranspose1d(width, width, 4, 2, 1),
            nn.SiLU(),
            nn.ConvTranspose1d(width, coordinates, 4, 2, 1),
        )
        self.register_buffer("mean", torch.zeros(coordinates))
        self.register_buffer("std", torch.ones(coordinates))

    def fit_statistics(self, points_NQ: torch.Tensor) -> None:
        self.mean.copy_(points_NQ.mean(0))
        self.std.copy_(points_NQ.std(0).clamp(min=1e-3))

    def forward(self, windows_BTQ: torch.Tensor) -> torch.Tensor:
        """The code, (B, D)."""
        return self.encoder(((windows_BTQ - self.mean) / self.std).transpose(1, 2))

    def error(self, windows_BTQ: torch.Tensor) -> torch.Tensor:
        """Mean squared error of what comes back, in variances of the coordinates."""
        truth = (windows_BTQ - self.mean) / self.std
        return (self.decoder(self(windows_BTQ)) - truth.transpose(1, 2)).square().mean()

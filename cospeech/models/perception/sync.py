"""A lip-sync expert: lips and speech in one embedding space.

After SyncNet (Chung and Zisserman, "Out of time", ACCV 2016 workshop): five frames of the mouth and the 0.2 s of mel
bands under them. Trained with a contrastive loss on the corpus at hand, so its scores compare runs on the same corpus
and are not those of the published network.

Axes: B batch, F frames of a window, M mel windows, C channels, D embedding.
"""

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config
from torch import nn

from ..common.base import Model

WINDOW = 5
"""Video frames a window."""


def _block(inputs: int, outputs: int, stride: tuple[int, int]) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
    return nn.Sequential(conv, nn.GroupNorm(8, outputs), nn.SiLU())


class SyncExpert(Model):
    """`lips` and `speech` give unit vectors; their cosine is high where they belong together."""

    @register_to_config
    def __init__(self, width: int = 32, embedding: int = 64, mel_bands: int = 80, mel_windows: int = 20) -> None:
        super().__init__()
        w = width
        self.lip_layers = nn.Sequential(
            _block(3 * WINDOW, w, (2, 2)),
            _block(w, 2 * w, (2, 2)),
            _block(2 * w, 2 * w, (2, 2)),
            _block(2 * w, 4 * w, (2, 2)),
            nn.Flatten(),
            nn.Linear(4 * w * 3 * 6, embedding),
        )
        self.speech_layers = nn.Sequential(
            _block(1, w, (1, 2)),
            _block(w, 2 * w, (2, 2)),
            _block(2 * w, 4 * w, (2, 2)),
            nn.Flatten(),
            nn.Linear(4 * w * ((mel_windows + 3) // 4) * ((mel_bands + 7) // 8), embedding),
        )
        self.log_temperature = nn.Parameter(torch.tensor(0.07).log())
        self.register_buffer("mel_mean", torch.zeros(mel_bands))
        self.register_buffer("mel_std", torch.ones(mel_bands))

    def lips(self, crops_BFCHW: torch.Tensor) -> torch.Tensor:
        """Mouth crops (B, 5, 3, 48, 96) in 0..1 -> (B, D) of length 1. Grey level and contrast do not matter."""
        x = crops_BFCHW.flatten(1, 2)
        x = x - x.mean((1, 2, 3), keepdim=True)
        x = x / (x.square().mean((1, 2, 3), keepdim=True).sqrt() + 0.05)
        return F.normalize(self.lip_layers(x), dim=1)

    def speech(self, mel_BMC: torch.Tensor) -> torch.Tensor:
        """Log-mel windows (B, 20, 80), natural log -> (B, D) of length 1."""
        x = (mel_BMC - self.mel_mean) / self.mel_std
        return F.normalize(self.speech_layers(x[:, None]), dim=1)

    @torch.no_grad()
    def embed_lips(self, crops: torch.Tensor, batch: int = 128) -> torch.Tensor:
        """(T, 3, 48, 96) in 0..1 -> (T - 4, D); row i covers frames i to i + 4."""
        windows = crops.unfold(0, WINDOW, 1).permute(0, 4, 1, 2, 3)
        return torch.cat([self.lips(part) for part in windows.split(batch)])

    @torch.no_grad()
    def embed_speech(self, mel: torch.Tensor, batch: int = 128) -> torch.Tensor:
        """(T, 4, 80), natural log -> (T - 4, D); row i covers frames i to i + 4."""
        windows = mel.unfold(0, WINDOW, 1).permute(0, 3, 1, 2).flatten(1, 2)
        return torch.cat([self.speech(part) for part in windows.split(batch)])


def contrastive_loss(lips_BD: torch.Tensor, speech_BD: torch.Tensor, log_temperature: torch.Tensor) -> torch.Tensor:
    """InfoNCE in both directions (van den Oord et al. 2018; Radford et al. 2021): row i of each belongs together."""
    logits = lips_BD @ speech_BD.T / log_temperature.exp()
    truth = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth)) / 2

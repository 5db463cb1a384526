"""Voice to motion: a causal sequence model that draws upper-body keypoints by flow matching.

Motion is what the keypoints do away from a reference pose, in shoulder widths, along the principal components of the
training motion. Given speech, the model carries noise to such motion along straight paths (Lipman et al., "Flow
matching for generative modeling", ICLR 2023), so that gestures are drawn and not averaged. Every layer looks back only;
the one look ahead is into the audio, `lookahead` frames.

Axes: B batch, T frames, P components, A audio features, W width.
"""

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config
from torch import nn

from .model import Model


class _CausalBlock(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.padding = 2 * dilation
        self.conv = nn.Conv1d(width, width, 3, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)
        self.modulation = nn.Linear(width, 2 * width)

    def forward(
        self, x_BWT: torch.Tensor, condition_BW: torch.Tensor, past_BWT: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The next frames (past None: the first), and the past of those after them: what the convolution still sees."""
        scale, shift = self.modulation(condition_BW)[..., None].chunk(2, 1)
        y = F.layer_norm(x_BWT.transpose(1, 2), (x_BWT.shape[1],)).transpose(1, 2)
        y = y * (1 + scale) + shift
        past_BWT = y.new_zeros(*y.shape[:2], self.padding) if past_BWT is None else past_BWT
        y = torch.cat([past_BWT, y], 2)
        return x_BWT + self.mix(F.silu(self.conv(y))), y[..., -self.padding :]


class MotionModel(Model):
    """Predicts clean motion from noisy motion, speech and the reference pose."""

    @register_to_config
    def __init__(
        self,
        points: int = 123,
        components: int = 40,
        audio_features: int = 320,
        width: int = 128,
        layers: int = 8,
        lookahead: int = 4,
    ) -> None:
        super().__init__()
        self.audio_in = nn.Linear(audio_features, width)
        self.audio_ahead = nn.Conv1d(width, width, lookahead + 1)
        self.motion_in = nn.Linear(components, width)
        self.reference_in = nn.Linear(2 * points, width)
        self.time_in = nn.Sequential(nn.Linear(1, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(_CausalBlock(width, 2 ** (index % 4)) for index in range(layers))
        self.motion_out = nn.Linear(width, components)
        nn.init.zeros_(self.motion_out.weight)
        nn.init.zeros_(self.motion_out.bias)
        self.register_buffer("basis", torch.zeros(components, 2 * points))
        self.register_buffer("scale", torch.ones(components))
        self.register_buffer("weight", torch.ones(2 * points))
        self.register_buffer("audio_mean", torch.zeros(audio_features))
        self.register_buffer("audio_std", torch.ones(audio_features))

    @torch.no_grad()
    def fit_statistics(self, offsets_NQ: torch.Tensor, audio_NA: torch.Tensor, weight_Q: torch.Tensor) -> None:
        """Set the motion components (of `weight`ed offsets) and the means from training frames.

        Args:
            offsets_NQ: (N, 2 * points) offsets from the clip's reference pose, shoulder widths.
            audio_NA: (N, audio_features). weight_Q: (2 * points,), how much a point matters.
        """
        weighted = offsets_NQ * weight_Q
        _, values, basis = torch.linalg.svd(weighted.double(), full_matrices=False)
        count = self.config.components
        if len(values) < count:
            raise ValueError(
                f"motion: {len(offsets_NQ)} training frames cannot give motion.components={count}; lower it"
            )
        self.basis.copy_(basis[:count])
        self.scale.copy_((values[:count] / len(offsets_NQ) ** 0.5).clamp(min=1e-4))
        self.weight.copy_(weight_Q)
        self.audio_mean.copy_(audio_NA.mean(0))
        self.audio_std.copy_(audio_NA.std(0).clamp(min=1e-3))

    def encode_motion(self, offsets_BTQ: torch.Tensor) -> torch.Tensor:
        """Offsets from the reference pose (B, T, 2 * points) in shoulder widths -> (B, T, P) of unit variance."""
        return (offsets_BTQ * self.weight) @ self.basis.T / self.scale

    def decode_motion(self, motion_BTP: torch.Tensor) -> torch.Tensor:
        """The inverse, within the span of the components."""
        return (motion_BTP * self.scale) @ self.basis / self.weight

    def forward(
        self, noisy_BTP: torch.Tensor, time_B: torch.Tensor, audio_BTA: torch.Tensor, reference_BQ: torch.Tensor
    ) -> torch.Tensor:
        """Clean motion (B, T, P). `time_B` runs from 1 (noise) to 0 (clean)."""
        heard = self.hear(torch.cat([audio_BTA, audio_BTA[:, -1:].expand(-1, self.config.lookahead, -1)], 1))
        return self.draw(noisy_BTP, time_B, heard, reference_BQ, None)[0]

    def hear(self, audio_BTA: torch.Tensor) -> torch.Tensor:
        """What T frames of speech mean to the first T - lookahead of them: (B, W, T - lookahead)."""
        return self.audio_ahead(F.silu(self.audio_in((audio_BTA - self.audio_mean) / self.audio_std)).transpose(1, 2))

    def draw(
        self,
        noisy_BTP: torch.Tensor,
        time_B: torch.Tensor,
        heard_BWT: torch.Tensor,
        reference_BQ: torch.Tensor,
        past: list[torch.Tensor] | None,
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Clean motion (B, T, P) of the frames after `past` (None: of the first), and the past of those after them."""
        x = heard_BWT + self.motion_in(noisy_BTP).transpose(1, 2)
        condition = self.time_in(time_B[:, None]) + self.reference_in(reference_BQ)
        kept = []
        for index, block in enumerate(self.blocks):
            x, after = block(x, condition, past and past[index])
            kept.append(after)
        return self.motion_out(F.silu(x).transpose(1, 2)), kept

"""Voice to motion: what the mouth does is heard, what the body does is drawn.

Jaw and lips are nearly determined by the voice, so a causal convolution tells them outright: a drawn mouth would be the
right one in the mean only. Body, head, lids and brows go with the voice but are not determined by it. They are drawn, a
few frames at a time, by flow matching (Lipman et al., "Flow matching for generative modeling", ICLR 2023): a recurrent
state remembers voice and motion so far, and from it a small network carries noise to the next frames' motion (as Li et
al., "Autoregressive image generation without vector quantization", NeurIPS 2024, do it for tokens of pictures).

Axes: B batch, T frames, M mel windows a frame, C mel bands, W width, K chunks, N frames of a chunk, R coordinates of
the posture, S of the speaking parts (both as in `posture`), P principal components of a pose, D of a chunk, H hidden.
"""

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config
from torch import nn

from ..models.common.base import Model
from .blinks import REACH, Blinking
from .representation import LIDS, POSTURE, SPEECH


class VoiceEncoder(nn.Module):
    """Log-mel of T frames -> (B, T - span + 1, W)."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, windows: int, bands: int, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.frames_in = nn.Conv1d(bands, width, 2 * windows, windows)
        self.near = nn.Conv1d(width, width, kernel)
        self.far = nn.Conv1d(width, width, kernel)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("std", torch.ones(bands))

    def forward(self, mel_BTMC: torch.Tensor) -> torch.Tensor:
        x = ((mel_BTMC.flatten(1, 2) - self.mean) / self.std).transpose(1, 2)
        x = self.dropout(F.silu(self.frames_in(x)))
        x = self.dropout(F.silu(self.near(x)))
        return self.dropout(F.silu(self.far(x))).transpose(1, 2)


class _FlowBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 3 * width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        scale, shift, gate = self.modulation(condition).chunk(3, -1)
        return x + (1 + gate) * self.narrow(F.silu(self.wide(self.norm(x) * (1 + scale) + shift)))


class _FlowHead(nn.Module):
    """Clean chunk from a noisy one, (..., D), at a time (..., 1) from 1 (noise) to 0, given the state (..., H)."""

    def __init__(self, components: int, width: int, blocks: int) -> None:
        super().__init__()
        self.noisy_in = nn.Linear(components, width)
        self.time_in = nn.Sequential(nn.Linear(1, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(_FlowBlock(width) for _ in range(blocks))
        self.clean_out = nn.Linear(width, components)
        nn.init.zeros_(self.clean_out.weight)
        nn.init.zeros_(self.clean_out.bias)

    def forward(self, noisy: torch.Tensor, time: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        condition = F.silu(self.time_in(time) + state)
        x = self.noisy_in(noisy)
        for block in self.blocks:
            x = block(x, condition)
        return self.clean_out(F.silu(x))


class MotionModel(Model):
    """lookahead: frames of voice heard beyond a frame. chunk: frames of posture drawn at once, at most those heard.
    liveliness: size of the noise that posture is drawn from. After as few clips as one has, the network is surer than a
    voice not heard before allows, and at 1, as in training, hands are too slow (docs/explanation/motion.md).

    kernel: frames of each of the two convolutions over the voice. dropout: of the voice in training. lip_shapes:
    principal components of a mouth at rest. flow_blocks: of the network that draws. fade: frames in which what the
    network cannot see of a body's displacement fades by a factor of e, about a training clip; it learnt to bring back
    what it sees, and the rest would add up for minutes (docs/explanation/motion.md)."""

    @register_to_config
    def __init__(
        self,
        width: int = 128,
        hidden: int = 256,
        lookahead: int = 4,
        chunk: int = 4,
        pose_components: int = 40,
        chunk_components: int = 64,
        mel_windows: int = 4,
        mel_bands: int = 80,
        liveliness: float = 1.0,
        kernel: int = 5,
        dropout: float = 0.1,
        lip_shapes: int = 8,
        flow_blocks: int = 3,
        fade: float = 100.0,
    ) -> None:
        super().__init__()
        self.voice = VoiceEncoder(mel_windows, mel_bands, width, kernel, dropout)
        self.lips_out = nn.Linear(width, SPEECH)
        self.lips_at_rest = nn.Linear(lip_shapes, SPEECH)
        self.start = nn.Linear(pose_components, hidden)
        self.memory = nn.GRU(2 * pose_components + width, hidden, batch_first=True)
        self.flow = _FlowHead(chunk_components, hidden, flow_blocks)
        for layer in (self.lips_out, self.lips_at_rest):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        for name, shape in {
            "weight": (POSTURE,),
            "pose_mean": (POSTURE,),
            "pose_basis": (pose_components, POSTURE),
            "pose_scale": (pose_components,),
            "chunk_mean": (chunk * POSTURE,),
            "chunk_basis": (chunk_components, chunk * POSTURE),
            "chunk_scale": (chunk_components,),
            "lip_mean": (SPEECH,),
            "lip_basis": (lip_shapes, SPEECH),
            "lip_scale": (lip_shapes,),
            "blink_shape": (2 * REACH + 1, LIDS.stop - LIDS.start),
            "blink_times": (3,),
        }.items():
            self.register_buffer(name, torch.zeros(shape))

    @property
    def span(self) -> int:
        """Frames of the voice that one frame hears, itself and `lookahead` later ones among them."""
        return 2 * int(self.config.kernel)

    @torch.no_grad()
    def fit_statistics(
        self,
        mel_NC: torch.Tensor,
        poses_NR: torch.Tensor,
        lips_NS: torch.Tensor,
        chunks_NNR: torch.Tensor,
        weight_R: torch.Tensor,
    ) -> None:
        """Set means and principal components from training footage.

        Args:
            mel_NC: windows of log-mel. poses_NR, lips_NS: `posture.describe` of frames. chunks_NNR: what follows a
                frame, less that frame. weight_R: `posture.weights`.
        """
        self.voice.mean.copy_(mel_NC.mean(0))
        self.voice.std.copy_(mel_NC.std(0).clamp(min=1e-3))
        self.weight.copy_(weight_R)
        samples = {"pose": poses_NR * weight_R, "chunk": (chunks_NNR * weight_R).flatten(1), "lip": lips_NS}
        for name, values in samples.items():
            mean, basis, scale = (getattr(self, f"{name}_{part}") for part in ("mean", "basis", "scale"))
            mean.copy_(values.mean(0))
            _, lengths, directions = torch.linalg.svd((values - mean).double(), full_matrices=False)
            if len(lengths) < len(basis):
                raise ValueError(
                    f"motion: {len(values)} training frames cannot give the {len(basis)} {name} components that "
                    "params ask for; lower them or bring more clips"
                )
            basis.copy_(directions[: len(basis)])
            scale.copy_((lengths[: len(basis)] / len(values) ** 0.5).clamp(min=1e-4))

    @property
    def blinking(self) -> Blinking:
        """How people blink, as `blinks.fit_blinking` found it."""
        chance, pause, spread = self.blink_times.tolist()
        return Blinking(self.blink_shape.numpy(), chance, round(pause), spread)

    @blinking.setter
    def blinking(self, how: Blinking) -> None:
        self.blink_shape.copy_(torch.from_numpy(how.shape_LE))
        self.blink_times.copy_(torch.tensor([how.chance, how.pause, how.spread]))

    def hear(self, mel_BTMC: torch.Tensor) -> torch.Tensor:
        """What the voice means to the frames that have span - 1 - lookahead frames before them and lookahead after."""
        return self.voice(mel_BTMC)

    def speak(self, heard_BTW: torch.Tensor, lips_BS: torch.Tensor) -> torch.Tensor:
        """Offsets of jaw and lips (B, T, S) from a reference whose `describe`d speech is `lips_BS`."""
        shape_BL = ((lips_BS - self.lip_mean) @ self.lip_basis.T) / self.lip_scale
        return self.lips_out(heard_BTW) + self.lips_at_rest(shape_BL)[:, None]

    def look(self, pose_R: torch.Tensor) -> torch.Tensor:
        """`describe`d posture (..., R) -> its components (..., P)."""
        return ((pose_R * self.weight - self.pose_mean) @ self.pose_basis.T) / self.pose_scale

    def visible(self, moved_R: torch.Tensor) -> torch.Tensor:
        """What `look` sees of a displacement of a posture (..., R); the rest lies outside its components."""
        return ((moved_R * self.weight) @ self.pose_basis.T) @ self.pose_basis / self.weight

    def remember(
        self, seen_BKP: torch.Tensor, first_BP: torch.Tensor, heard_BKW: torch.Tensor, state_1BH: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """States (B, K, H) from which the chunks after the poses `seen` are drawn, and the last of them as (1, B, H).

        first_BP: the reference pose. heard_BKW: at the first frame of each chunk. state_1BH: None at the start.
        """
        state_1BH = self.start(first_BP)[None] if state_1BH is None else state_1BH
        first_BKP = first_BP[:, None].expand_as(seen_BKP)
        return self.memory(torch.cat([seen_BKP, first_BKP, heard_BKW], -1), state_1BH)

    def encode_chunk(self, moves_NR: torch.Tensor) -> torch.Tensor:
        """What N frames do away from the frame before them, (..., N, R) -> (..., D) of unit variance."""
        return ((moves_NR * self.weight).flatten(-2) - self.chunk_mean) @ self.chunk_basis.T / self.chunk_scale

    def decode_chunk(self, chunk_D: torch.Tensor) -> torch.Tensor:
        """The inverse, within the span of the components."""
        moves = (chunk_D * self.chunk_scale) @ self.chunk_basis + self.chunk_mean
        return moves.unflatten(-1, (self.config.chunk, POSTURE)) / self.weight

    def forward(self, noisy_D: torch.Tensor, time: torch.Tensor, state_H: torch.Tensor) -> torch.Tensor:
        """Clean chunks (..., D) from noisy ones. `time` (..., 1) runs from 1 (noise) to 0 (clean)."""
        return self.flow(noisy_D, time, state_H)

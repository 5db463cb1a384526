"""The student as people use it: one picture and keypoints in, video out. Goes into the export as it stands.

Axes: B batch, C latent channels, P pose channels, T frames, H W pixels, h w latent cells.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from .attention.plan import AttentionPlan, Mask, MaskPart
from .attention.streaming import Memory
from .nets.codec import Codec
from .nets.denoiser import Condition, Denoiser
from .nets.pose_encoder import PoseEncoder
from .nets.precision import Precision, autocast
from .nets.warp import Warper
from .pose.drawing import draw_skeleton
from .sampling import sample_windows
from .streaming import Chunks, sample_stream

_TOGETHER = 16
"""Pictures encoded or decoded at once."""


@dataclass(frozen=True)
class Settings:
    """How the student is run: sampling.json of the export. size: pixels a side; fps: of the footage it learned from.

    stream: chunk, frames, recent (see `stages.lib.streaming`); None: in overlapping windows. longest: frames of the
    windows that it was trained on.
    """

    steps: int
    shift: float
    window: int
    overlap: int
    mask: Sequence[MaskPart]
    past_frames: int
    stream: Mapping[str, int] | None
    longest: int
    precision: Precision
    size: int
    fps: int


def load(folder: str | Path, device: str = "cpu") -> "Speaker":
    """The model in an export folder.

    Raises:
        ValueError: a part is missing.
    """
    folder = Path(folder)
    parts = {name: folder / name for name in ("student", "codec", "pose_encoder", "sampling.json")}
    missing = [name for name, path in parts.items() if not path.exists()]
    if missing:
        raise ValueError(f"{folder} is not a complete export: {', '.join(missing)} missing")
    settings = Settings(**json.loads(parts["sampling.json"].read_text(encoding="utf-8")))
    return Speaker(
        Denoiser.from_pretrained(parts["student"]).to(device).eval(),
        Codec.from_pretrained(parts["codec"]).to(device).eval(),
        PoseEncoder.from_pretrained(parts["pose_encoder"]).to(device).eval(),
        settings,
        torch.device(device),
    )


@dataclass(frozen=True)
class Speaker:
    student: Denoiser
    codec: Codec
    pose_encoder: PoseEncoder
    settings: Settings
    device: torch.device

    @torch.no_grad()
    def animate(
        self,
        reference_image: np.ndarray,
        keypoints: np.ndarray,
        confidence: np.ndarray,
        reference_keypoints: np.ndarray | None = None,
        reference_confidence: np.ndarray | None = None,
        seed: int = 0,
    ) -> np.ndarray:
        """Let the person in a picture move like keypoints: (T, size, size, 3) uint8 RGB.

        Args:
            reference_image: (S, S, 3) uint8 RGB, square, head and shoulders to hips.
            keypoints: (T, 133, 2), COCO-WholeBody, pixels of the reference image. confidence: (T, 133), 0 to 1.
            reference_keypoints, reference_confidence: (133, 2) and (133,) of the picture; None: those of
                the first frame.

        Raises:
            ValueError: shapes that do not fit.
        """
        _check(reference_image, keypoints, confidence)
        size = self.settings.size
        scale = size / len(reference_image)
        picture = cv2.resize(reference_image, (size, size), interpolation=cv2.INTER_AREA)
        points = keypoints * scale
        if reference_keypoints is None or reference_confidence is None:
            still = points[0], confidence[0]
        else:
            still = reference_keypoints * scale, reference_confidence
        condition = self._condition(picture, points, confidence, *still)
        shape = (1, self.codec.config.latent_channels, len(points), *condition.reference_BChw.shape[2:])
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(self.device)
        with autocast(self.device, self.settings.precision):
            latents_BCThw = self._sample(noise, condition, points / size, confidence)
            return self._decode(latents_BCThw[0].transpose(0, 1))

    def _sample(
        self, noise_1CThw: torch.Tensor, condition: Condition, points: np.ndarray, confidence: np.ndarray
    ) -> torch.Tensor:
        """Latents (1, C, T, h, w). points: x y in 0..1 of the picture."""
        settings, cells = self.settings, (noise_1CThw.shape[3], noise_1CThw.shape[4])
        how = self.student, noise_1CThw, condition
        if settings.stream is not None:
            stream = settings.stream
            memory = Memory(settings.past_frames, stream["frames"], stream["recent"], settings.longest)
            chunks = Chunks(stream["chunk"], memory)
            return sample_stream(*how, points, confidence, settings.steps, settings.shift, chunks)
        return sample_windows(
            *how,
            settings.steps,
            settings.shift,
            settings.window,
            settings.overlap,
            lambda start, stop: self._plan(points[start:stop], confidence[start:stop], cells),
        )

    def _condition(
        self,
        picture: np.ndarray,
        points: np.ndarray,
        confidence: np.ndarray,
        still_points: np.ndarray,
        still_confidence: np.ndarray,
    ) -> Condition:
        poses = [self._encode_pose(*each) for each in zip(points, confidence, strict=True)]
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float().to(self.device) / 127.5 - 1
        reference = self.codec.encode(pixels)
        warped = None
        if self.student.config["reference_warp"]:
            size = self.settings.size
            with autocast(self.device, self.settings.precision):
                warper = Warper(self.codec, reference[0], still_points / size, still_confidence)
                warped = warper.warp(points / size, confidence)[None]
        return Condition(
            torch.cat(poses).transpose(0, 1)[None], reference, self._encode_pose(still_points, still_confidence), warped
        )

    def _encode_pose(self, points: np.ndarray, confidence: np.ndarray) -> torch.Tensor:
        drawn = torch.from_numpy(draw_skeleton(points, confidence, self.settings.size))
        return self.pose_encoder.encode(drawn.permute(2, 0, 1)[None].float().to(self.device) / 255)

    def _plan(self, points: np.ndarray, confidence: np.ndarray, cells: tuple[int, int]) -> AttentionPlan | None:
        patch = self.student.config.patch
        grid = (cells[0] // patch, cells[1] // patch)
        plan = Mask(tuple(self.settings.mask), self.settings.past_frames).plan(points, confidence, grid)
        return None if plan is None else plan.to(self.device)

    def _decode(self, latents_TChw: torch.Tensor) -> np.ndarray:
        parts: list[Any] = []
        for part in latents_TChw.float().split(_TOGETHER):
            pixels = ((self.codec.decode(part).float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
            parts.append(pixels.permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(parts)


def _check(picture: np.ndarray, keypoints: np.ndarray, confidence: np.ndarray) -> None:
    if picture.ndim != 3 or picture.shape[0] != picture.shape[1] or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"the reference must be a square RGB picture of uint8, got {picture.shape} of {picture.dtype}")
    frames = len(keypoints)
    if frames == 0 or keypoints.shape != (frames, 133, 2) or confidence.shape != (frames, 133):
        raise ValueError(
            f"expected keypoints (T, 133, 2) and confidence (T, 133), got {keypoints.shape} and {confidence.shape}"
        )

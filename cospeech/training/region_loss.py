"""The region loss: decoded frames against the truth where people look. Eq. 5, arXiv 2510.02617.

L_r compares face recognition features for the face and LPIPS for the other regions, where their weights are configured;
without them, the features of the codec's own encoder. Feature maps are masked, not the pictures: no edge of a mask is
seen as one of the picture, and one pass serves all regions. The truth is decoded from its latents too: what the codec
cannot show is not asked of the student.

Axes: B batch, C latent channels, T frames, S = B * (chosen frames), H W pixels, h w latent cells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from cospeech.datasets.attention_plans import region_cells
from cospeech.datasets.windows import Window
from cospeech.models.common.protocols import VideoCodec
from cospeech.models.perception.face import FaceNet, align_faces, faces_visible
from cospeech.models.perception.lpips import Lpips
from cospeech.pose.regions import FACE


@dataclass(frozen=True)
class Judges:
    """The networks whose features are compared; None: the codec's."""

    codec: VideoCodec
    face: FaceNet | None = None
    lpips: Lpips | None = None

    @property
    def names(self) -> dict[str, str]:
        """Which features are compared: in the face, and in the other regions."""
        return {
            "face": "codec" if self.face is None else "face recognition",
            "other regions": "codec" if self.lpips is None else "LPIPS",
        }


def choose_frames(count: int, frames: int, generator: torch.Generator) -> list[int]:
    """`count` different frames of `frames` (all, if there are no more), in order."""
    return sorted(torch.randperm(frames, generator=generator)[:count].tolist())


def region_loss(
    judges: Judges,
    made_BCThw: torch.Tensor,
    truth_BCThw: torch.Tensor,
    windows: Sequence[Window],
    frames: Sequence[int],
    weights: Mapping[int, float],
) -> torch.Tensor:
    """sum_r lambda_r L_r(m_r * x, m_r * x') of eq. 5 over the chosen frames of each window.

    weights: region to lambda_r. A region that a frame does not show adds nothing there.
    """
    chosen = list(frames)
    made_S3HW = judges.codec.decode_frames(made_BCThw, chosen)
    with torch.no_grad():
        truth_S3HW = judges.codec.decode_frames(truth_BCThw, chosen)
    region_Shw = region_cells(windows)[:, chosen].flatten(0, 1).to(made_S3HW.device)
    by_face = weights.get(FACE, 0.0) if judges.face is not None else 0.0
    total = made_S3HW.new_zeros(())
    if judges.face is not None and by_face > 0:
        total = total + by_face * _face_error(judges.face, made_S3HW, truth_S3HW, windows, chosen)
    others = {region: weight for region, weight in weights.items() if weight > 0 and not (by_face and region == FACE)}
    if others:
        grid = (region_Shw.shape[1], region_Shw.shape[2])
        if judges.lpips is not None:
            error_Shw = _pooled(judges.lpips(made_S3HW, truth_S3HW), grid)
        else:
            error_Shw = codec_error(judges.codec, made_S3HW, truth_S3HW, grid)
        for region, weight in others.items():
            total = total + weight * masked_mean(error_Shw, region_Shw == region)
    return total


def masked_mean(error_Shw: torch.Tensor, inside_Shw: torch.Tensor) -> torch.Tensor:
    """The mean over the cells inside, picture by picture; a picture with none inside counts 0."""
    inside = inside_Shw.to(error_Shw)
    return ((error_Shw * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)).mean()


def codec_error(
    codec: VideoCodec, made_S3HW: torch.Tensor, truth_S3HW: torch.Tensor, grid: tuple[int, int]
) -> torch.Tensor:
    """Squared difference of the encoder's features over their mean square, summed over layers: (S, h, w)."""
    with torch.no_grad():
        truths = codec.encode_features(truth_S3HW)
    total = made_S3HW.new_zeros(())
    for made, truth in zip(codec.encode_features(made_S3HW), truths, strict=True):
        made, truth = made.float(), truth.float()
        error_SHW = (made - truth).square().mean(1) / truth.square().mean((1, 2, 3), keepdim=True)[:, 0].clamp(min=1e-6)
        total = total + _pooled(error_SHW, grid)
    return total


def _pooled(error_SHW: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """The mean over each cell. On GPUs only pooling by whole numbers has gradients that are the same bits each time."""
    (down, rest_down), (across, rest_across) = (divmod(n, m) for n, m in zip(error_SHW.shape[1:], grid, strict=True))
    if rest_down or rest_across:
        return F.adaptive_avg_pool2d(error_SHW, grid)
    return F.avg_pool2d(error_SHW, (down, across))


def _face_error(
    net: FaceNet, made_S3HW: torch.Tensor, truth_S3HW: torch.Tensor, windows: Sequence[Window], frames: Sequence[int]
) -> torch.Tensor:
    """Squared distance of the faces' features; both are cut out by the keypoints of the truth."""
    rows = [(window, window.start + frame) for window in windows for frame in frames]
    errors = []
    for index, (window, frame) in enumerate(rows):
        pose = window.clip.track[[frame]]
        if not faces_visible(pose)[0]:
            continue
        with torch.no_grad():
            truth = net(align_faces(truth_S3HW[index : index + 1], pose.normalized))
        made = net(align_faces(made_S3HW[index : index + 1], pose.normalized))
        errors.append((made - truth).square().sum())
    return torch.stack(errors).sum() / len(rows) if errors else made_S3HW.new_zeros(())

"""What moving least squares and bones do not know of how clothes move: learned offsets, from two poses.

Shoulders rise and the chest under them does not; an arm that turns takes its sleeve's stripes along. The deformer sees
some keypoints of the reference and of the pose, and says where else in the reference torso and arms come from. It
begins with no offsets at all, so an untrained one changes nothing.

Axes: B pictures, K keypoints, L bones, G cells of the torso a side, A cells along a bone, S cells across it, N points.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config
from torch import nn

from ...pose import skeleton as sk
from ...utils.json_types import JSONObject
from ..common.base import Model
from .geometry import OffsetReach, WarpGeometry
from .limb_layers import BONES, Bones, Pose, shoulder_width

_SHOULDERS = (sk.LEFT_SHOULDER, sk.RIGHT_SHOULDER)
_POINTS = [*range(sk.LEFT_SHOULDER, sk.RIGHT_HIP + 1), sk.NOSE, *(int(sk.JAW[at]) for at in (0, 8, 16)), 100, 121]
"""Shoulders, elbows, wrists, hips; nose, ears and chin; the root of either middle finger."""


@dataclass(frozen=True)
class Offsets:
    """By which the place in the reference that something comes from is another, shoulder widths of the pose.

    torso_B2GG: x y, in a square below the shoulders. bones_BL2SA: along and across each bone of `limbs.BONES`, as the
    reference has it.
    """

    torso_B2GG: torch.Tensor
    bones_BL2SA: torch.Tensor
    reach: OffsetReach

    def torso(self, point_N: torch.Tensor, posed: Pose) -> torch.Tensor:
        """For each point of the pictures, (B, N) complex, picture sides."""
        left, right = (posed.points_BK[:, [key]] for key in _SHOULDERS)
        unit_B1, reach = shoulder_width(posed)[..., 0], self.reach
        local_BN = (point_N - (left + right) / 2) / unit_B1
        place_BN2 = torch.stack([local_BN.real, local_BN.imag - reach.middle], -1) / reach.half
        offset_B2N = _at(self.torso_B2GG, place_BN2)
        share_BN = 1 - (place_BN2.abs().amax(-1) - 1).clamp(0, reach.fade) / reach.fade
        share_BN = share_BN * ((local_BN.imag + reach.chin) / (reach.chin - reach.collar)).clamp(0, 1)
        return torch.complex(offset_B2N[:, 0] * share_BN, offset_B2N[:, 1] * share_BN) * unit_B1

    def along_bones(self, bones: Bones, posed: Pose) -> torch.Tensor:
        """For points by their place at each of all bones, (B, L, N) complex: along and across, picture sides."""
        unit_B11, reach = shoulder_width(posed), self.reach
        length_BL1 = torch.maximum(bones.length_BL1, reach.shortest * unit_B11)
        along_BLN = (bones.along_BLN / length_BL1 * 2 - 1) / (1 + 2 * reach.beyond)
        place_BLN2 = torch.stack([along_BLN, bones.across_BLN / (reach.side * unit_B11)], -1)
        offset_S2N = _at(self.bones_BL2SA.flatten(0, 1), place_BLN2.flatten(0, 1))
        return torch.complex(offset_S2N[:, 0], offset_S2N[:, 1]).unflatten(0, place_BLN2.shape[:2]) * unit_B11


def _at(cells_B2hw: torch.Tensor, place_BN2: torch.Tensor) -> torch.Tensor:
    """Between cells; places are -1..1, and beyond them the outermost cells go on: (B, 2, N)."""
    with torch.autocast(cells_B2hw.device.type, enabled=False):  # bfloat16 has not the digits for a place
        found = F.grid_sample(cells_B2hw, place_BN2[:, None], padding_mode="border", align_corners=False)
    return found[:, :, 0]


class Deformer(Model):
    """Two poses to `Offsets`."""

    @register_to_config
    def __init__(
        self,
        width: int = 192,
        torso: int = 8,
        along: int = 6,
        across: int = 3,
        greatest: float = 0.25,
        unit: float = 0.05,
        reach: JSONObject | None = None,
        geometry: JSONObject | None = None,
    ) -> None:
        """width: of the hidden layers. torso: cells a side; along, across: cells of a bone.

        greatest: offset, shoulder widths; in the corpus half of them are under 0.02, one in a hundred over 0.2. unit:
        offset, shoulder widths, for one of the network's outputs: what is common. reach, geometry: fields of
        `OffsetReach` and `WarpGeometry`, of the deformed reference that it is trained in; those left out, as older
        configs do, have their defaults, and all are saved.
        """
        super().__init__()
        self.reach, self.geometry = OffsetReach(**(reach or {})), WarpGeometry(**(geometry or {}))
        self.register_to_config(reach=asdict(self.reach), geometry=asdict(self.geometry))
        self.hidden = nn.Sequential(nn.Linear(len(_POINTS) * 8, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.last = nn.Linear(width, 2 * torso * torso + 2 * len(BONES) * across * along)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, still: Pose, posed: Pose) -> Offsets:
        """still, posed: B of each, on any device; offsets are on theirs. They are 0 where a shoulder was not found."""
        torso, along, across = (self.config[name] for name in ("torso", "along", "across"))
        greatest, unit = self.config["greatest"], self.config["unit"]
        own, theirs = self.last.weight.device, posed.points_BK.device
        with torch.autocast(own.type, enabled=False):
            raw_BF = self.last(self.hidden(_features(still, posed).to(own))).to(theirs) * unit
        bounded_BF = greatest * torch.tanh(raw_BF / greatest)
        found_BK = still.seen_BK & posed.seen_BK
        bounded_BF = bounded_BF * found_BK[:, _SHOULDERS].all(1, keepdim=True)
        torso_BF, bones_BF = bounded_BF.split([2 * torso * torso, bounded_BF.shape[1] - 2 * torso * torso], 1)
        torso_B2GG = torso_BF.unflatten(1, (2, torso, torso))
        return Offsets(torso_B2GG, bones_BF.unflatten(1, (len(BONES), 2, across, along)), self.reach)


def _features(still: Pose, posed: Pose) -> torch.Tensor:
    """(B, F): points of both poses and their differences, in the frame that the reference's shoulders give, 0 where
    not found; and which were."""
    left, right = (still.points_BK[:, [key]] for key in _SHOULDERS)
    unit_B1 = shoulder_width(still)[..., 0]
    parts = []
    for pose in (still, posed):
        local_BK = (pose.points_BK[:, _POINTS] - (left + right) / 2) / unit_B1
        seen_BK = pose.seen_BK[:, _POINTS].float()
        parts.append((torch.view_as_real(local_BK) * seen_BK[..., None], seen_BK))
    (before_BK2, had_BK), (after_BK2, have_BK) = parts
    moved_BK2 = (after_BK2 - before_BK2) * (had_BK * have_BK)[..., None]
    return torch.cat([each.flatten(1) for each in (before_BK2, after_BK2, 5 * moved_BK2, had_BK, have_BK)], 1)

"""LPIPS (arXiv 1801.03924) as a map over the picture. Its linear heads come with torchmetrics, its backbone does not.

The backbone is one safetensors file with torchvision's weights (ImageNet) of AlexNet or VGG16; which one is seen from
it. From torchvision:

    safetensors.torch.save_file(torchvision.models.alexnet(weights="IMAGENET1K_V1").state_dict(), "alexnet.safetensors")
"""

from pathlib import Path

import torch
from torch import nn

from ...utils.safetensors import load_tensors

_NETS = {64 * 3 * 11 * 11: "alex", 64 * 3 * 3 * 3: "vgg"}
"""By the size of the first convolution."""


class Lpips(nn.Module):
    def __init__(self, net: str) -> None:
        """net: alex or vgg."""
        super().__init__()
        from torchmetrics.functional.image.lpips import _LPIPS

        self.distance = _LPIPS(pretrained=True, net=net, spatial=True, pnet_rand=True)  # type: ignore[arg-type]
        self.requires_grad_(False)

    def forward(self, made_S3HW: torch.Tensor, truth_S3HW: torch.Tensor) -> torch.Tensor:
        """(S, H, W) float32, whose mean over a picture is its LPIPS. Pictures: RGB in -1..1."""
        return self.distance(made_S3HW, truth_S3HW)[:, 0]


def load_lpips(path: Path) -> Lpips:
    """In eval mode, without gradients of its weights.

    Raises:
        ValueError: no such file, or one of another network.
    """
    if not path.is_file():
        raise ValueError(
            f"{path}: no such file; it should hold an LPIPS backbone as safetensors (docs/reference/metrics.md)"
        )
    weights = {name: weight for name, weight in load_tensors(path).items() if name.startswith("features.")}
    first = weights.get("features.0.weight")
    net = _NETS.get(first.numel()) if first is not None else None
    if net is None:
        raise ValueError(f"{path}: neither torchvision's AlexNet nor its VGG16")
    lpips = Lpips(net).eval()
    layers = {
        name: layer
        for part in lpips.distance.net.children()
        for name, layer in part.named_children()
        if isinstance(layer, nn.Conv2d)
    }
    for name, layer in layers.items():
        layer.load_state_dict({field: weights[f"features.{name}.{field}"] for field in ("weight", "bias")})
    return lpips

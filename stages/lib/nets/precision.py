"""The arithmetic that networks run in; their weights stay float32."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

import torch

Precision = Literal["auto", "bf16", "fp32"]
"""auto: bf16 where the device computes in it."""


class MixedPrecision(Protocol):
    """What is used here of accelerate's `Accelerator`."""

    def autocast(self) -> AbstractContextManager: ...


def computed_in(device: torch.device, precision: Precision) -> Literal["bf16", "fp32"]:
    """What `precision` comes to on this device. A processor that only imitates bfloat16 takes up to twice as long as in
    float32, and most are such."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:  # of Arm's processors torch does not tell
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if native else "fp32"


def autocast(
    device: torch.device, precision: Precision, accelerator: MixedPrecision | None = None
) -> AbstractContextManager:
    """bf16: matrix products and convolutions in bfloat16, sums in float32. fp32: everything in float32.

    accelerator: of a team of processes (`stages.lib.team`), made for that precision; on GPUs it says how.
    """
    if accelerator is not None and device.type != "cpu":
        return accelerator.autocast()
    bf16 = computed_in(device, precision) == "bf16"
    return torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext()

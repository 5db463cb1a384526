"""The arithmetic that networks run in; their weights stay float32."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

import torch

from .device import processor_says

Precision = Literal["auto", "bf16", "fp32"]
"""auto: bf16 where the device is the faster in it."""


class MixedPrecision(Protocol):
    """What is used here of accelerate's `Accelerator`."""

    def autocast(self) -> AbstractContextManager: ...


def computed_in(device: torch.device, precision: Precision) -> Literal["bf16", "fp32"]:
    """What `precision` comes to on this device."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = _faster_on_processor()
    return "bf16" if native else "fp32"


def _faster_on_processor() -> bool:
    """With AMX, and on AMD's with AVX-512's own instructions; Intel's have these too, and take 1.35 times as long as in
    float32 (docs/training.md). Most others imitate it in up to twice the time; of Arm's torch does not tell."""
    if torch.cpu._is_amx_tile_supported():
        return True
    return torch.cpu._is_avx512_bf16_supported() and processor_says("vendor_id") == "AuthenticAMD"


def autocast(
    device: torch.device, precision: Precision, accelerator: MixedPrecision | None = None
) -> AbstractContextManager:
    """bf16: matrix products and convolutions in bfloat16, sums in float32. fp32: everything in float32.

    accelerator: of a process group (`cospeech.harness.distributed`), made for that precision; on GPUs it decides.
    """
    if accelerator is not None and device.type != "cpu":
        return accelerator.autocast()
    bf16 = computed_in(device, precision) == "bf16"
    return torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext()

"""Choose the precision that networks compute in; their weights stay float32."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

import torch

from .device import cpu_info

Precision = Literal["auto", "bf16", "fp32"]
"""auto: bf16 where that is faster on the device, else fp32."""


class MixedPrecision(Protocol):
    """The part of accelerate's `Accelerator` that `autocast` uses."""

    def autocast(self) -> AbstractContextManager: ...


def resolve_precision(device: torch.device, precision: Precision) -> Literal["bf16", "fp32"]:
    """Resolve `auto` for this device."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = _faster_on_processor()
    return "bf16" if native else "fp32"


def _faster_on_processor() -> bool:
    """Whether this CPU is faster in bfloat16: with AMX, or AMD with AVX512-BF16.

    Intel CPUs with AVX512-BF16 but without AMX take 1.35 times as long as in float32 (docs/explanation/training.md),
    most others emulate bfloat16 in up to twice the time, and torch does not report Arm's support.
    """
    if torch.cpu._is_amx_tile_supported():
        return True
    return torch.cpu._is_avx512_bf16_supported() and cpu_info("vendor_id") == "AuthenticAMD"


def autocast(
    device: torch.device, precision: Precision, accelerator: MixedPrecision | None = None
) -> AbstractContextManager:
    """Return a context that computes in `precision`.

    bf16: matrix products and convolutions in bfloat16, sums in float32. fp32: everything in float32.

    Args:
        accelerator: of the process group (`cospeech.harness.distributed`), built for this precision; used on GPUs.
    """
    if accelerator is not None and device.type != "cpu":
        return accelerator.autocast()
    bf16 = resolve_precision(device, precision) == "bf16"
    return torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext()

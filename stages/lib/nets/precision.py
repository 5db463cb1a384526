"""The arithmetic that networks run in; their weights stay float32."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

import torch

Precision = Literal["fp32", "bf16"]


class MixedPrecision(Protocol):
    """What is used here of accelerate's `Accelerator`."""

    def autocast(self) -> AbstractContextManager: ...


def autocast(
    device: torch.device, precision: Precision, accelerator: MixedPrecision | None = None
) -> AbstractContextManager:
    """bf16: matrix products and convolutions in bfloat16, sums in float32. fp32: everything in float32.

    accelerator: of a team of processes (`stages.lib.team`), made for that precision; on GPUs it says how.
    """
    if accelerator is not None and device.type != "cpu":
        return accelerator.autocast()
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()

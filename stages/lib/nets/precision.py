"""The arithmetic that networks run in; their weights stay float32."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

Precision = Literal["fp32", "bf16"]


def autocast(
    device: torch.device, precision: Precision, accelerator: "Accelerator | None" = None
) -> AbstractContextManager:
    """bf16: matrix products and convolutions in bfloat16, sums in float32. fp32: everything in float32.

    accelerator: of a team of processes (`stages.lib.team`), made for that precision; on GPUs it says how.
    """
    if accelerator is not None and device.type != "cpu":
        return accelerator.autocast()
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()

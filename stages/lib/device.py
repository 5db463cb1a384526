"""Where tensors live."""

from typing import Literal

import torch


def pick_device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """`auto`: the GPU if there is one. Raises ValueError if cuda is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("the device is to be cuda, but PyTorch finds no CUDA device; ask for auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)

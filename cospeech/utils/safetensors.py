"""Read safetensors files."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Load all tensors of a safetensors file by name.

    Raises:
        ValueError: it is not a safetensors file.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path}: not a safetensors file ({error}); see docs/reference/metrics.md for the weights"
        ) from error

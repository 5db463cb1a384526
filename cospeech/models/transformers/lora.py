"""Low-rank updates (arXiv 2106.09685) of Wan's transformers: what learns, apart from what draws and is given on."""

from typing import TypeVar

import torch

from .wan import WanNet

Net = TypeVar("Net", bound=WanNet)

LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2")
"""The linear layers of a Wan block."""


def add_lora(net: Net, rank: int, seed: int) -> Net:
    """Low-rank updates learn, in float32; all else is frozen, but a student's first layer."""
    from peft import LoraConfig

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        net.transformer.requires_grad_(False)
        net.transformer.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(LAYERS)))
    net.thaw()
    for weight in net.transformer.parameters():
        if weight.requires_grad:  # small steps are lost in bfloat16
            weight.data = weight.data.float()
    return net

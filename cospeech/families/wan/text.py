"""Prompts to what Wan reads: UMT5's last hidden states. Axes: L tokens, E width."""

import html
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch

from cospeech.artifacts import Prompts
from cospeech.utils.hub_weights import load_pretrained

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, UMT5EncoderModel

Loaded = TypeVar("Loaded")

TOKENS = 512
"""That Wan reads of a prompt; shorter ones are filled with zeros."""


def encode_prompts(source: str, hub: bool, positive: str, negative: str, device: torch.device) -> Prompts:
    """By the text encoder of a pipeline (`source`: its folder or hub name), which is gone from memory afterwards."""
    from transformers import AutoTokenizer, UMT5EncoderModel

    tokenizer = _load(AutoTokenizer.from_pretrained, source, "tokenizer", hub)
    encoder = _load(UMT5EncoderModel.from_pretrained, source, "text_encoder", hub).to(device).eval()
    embedded = [encode_prompt(tokenizer, encoder, text).cpu().numpy() for text in (positive, negative)]
    return Prompts(*embedded)


@torch.no_grad()
def encode_prompt(tokenizer: "PreTrainedTokenizerBase", encoder: "UMT5EncoderModel", prompt: str) -> torch.Tensor:
    """(L, E) float32, as `WanVACEPipeline` encodes it (but for its repair of wrongly decoded characters)."""
    text = " ".join(html.unescape(html.unescape(prompt)).split())
    read = tokenizer(text, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt")
    mask = read.attention_mask.to(encoder.device)
    hidden_LE = encoder(read.input_ids.to(encoder.device), mask).last_hidden_state[0].float()
    return hidden_LE * mask[0, :, None]


def _load(load: Callable[..., Loaded], source: str, part: str, hub: bool) -> Loaded:
    folder, key = Path(source) / part, "wan.teacher"
    if Path(source).is_dir():
        return load_pretrained(load, str(folder), key, hub, "wan.hub")
    return load_pretrained(partial(load, subfolder=part), source, key, hub, "wan.hub")

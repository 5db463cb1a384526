"""Prompts to what Wan reads: UMT5's last hidden states. Axes: L tokens, E width."""

import html
from pathlib import Path
from typing import Any

import torch

from cospeech.artifacts import Prompts
from cospeech.utils.hub_weights import load_pretrained

TOKENS = 512
"""That Wan reads of a prompt; shorter ones are filled with zeros."""


def encode_prompts(source: str, hub: bool, positive: str, negative: str, device: torch.device) -> Prompts:
    """By the text encoder of a pipeline (`source`: its folder or hub name), which is gone from memory afterwards."""
    from transformers import AutoTokenizer, UMT5EncoderModel

    tokenizer = _load(AutoTokenizer, source, "tokenizer", hub)
    encoder = _load(UMT5EncoderModel, source, "text_encoder", hub).to(device).eval()
    embedded = [encode_prompt(tokenizer, encoder, text).cpu().numpy() for text in (positive, negative)]
    return Prompts(*embedded)


@torch.no_grad()
def encode_prompt(tokenizer: Any, encoder: Any, prompt: str) -> torch.Tensor:
    """(L, E) float32, as `WanVACEPipeline` encodes it (but for its repair of wrongly decoded characters)."""
    text = " ".join(html.unescape(html.unescape(prompt)).split())
    read = tokenizer(text, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt")
    mask = read.attention_mask.to(encoder.device)
    hidden_LE = encoder(read.input_ids.to(encoder.device), mask).last_hidden_state[0].float()
    return hidden_LE * mask[0, :, None]


def _load(kind: Any, source: str, part: str, hub: bool) -> Any:
    folder, key = Path(source) / part, "wan.teacher"
    if Path(source).is_dir():
        return load_pretrained(kind.from_pretrained, str(folder), key, hub, "wan.hub")

    def load(name: str, **named: Any) -> Any:
        return kind.from_pretrained(name, subfolder=part, **named)

    return load_pretrained(load, source, key, hub, "wan.hub")

"""Attention processors for diffusers' Wan transformers.

Axes: B batch, M = T*N tokens (frame by frame), C channels, H heads, D head width.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from .plan import AttentionPlan
from .sparse import sparse_attention

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_wan import WanAttention


class WanSelfAttention:
    """Self-attention of a Wan block: input-aware sparse under `plan`, dense without one.

    Set `plan` before a call of the transformer; it serves all layers and steps of one batch of windows.
    """

    def __init__(self) -> None:
        self.plan: AttentionPlan | None = None

    def __call__(
        self,
        attn: "WanAttention",
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        rotary_emb: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """hidden_states: (B, M, C). rotary_emb: cosine and sine, (1, M, 1, D). Returns (B, M, C)."""
        assert encoder_hidden_states is None
        assert attention_mask is None
        v = attn.to_v(hidden_states)
        q = attn.norm_q(attn.to_q(hidden_states))
        k = attn.norm_k(attn.to_k(hidden_states))
        q_BMHD, k_BMHD, v_BMHD = (x.unflatten(2, (attn.heads, -1)) for x in (q, k, v))
        if rotary_emb is not None:
            q_BMHD, k_BMHD = (rotate(x, *rotary_emb) for x in (q_BMHD, k_BMHD))
        q_BMHD, k_BMHD = q_BMHD.type_as(v_BMHD), k_BMHD.type_as(v_BMHD)
        if self.plan is None:
            q, k, v = (x.transpose(1, 2) for x in (q_BMHD, k_BMHD, v_BMHD))
            out_BMHD = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        else:
            out_BMHD = sparse_attention(q_BMHD, k_BMHD, v_BMHD, self.plan)
        return attn.to_out[1](attn.to_out[0](out_BMHD.flatten(2)))


class ConstantCrossAttention:
    """Cross-attention to a single text token, exactly: a softmax over one key is 1, so the value is the answer."""

    def __call__(
        self,
        attn: "WanAttention",
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        rotary_emb: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """encoder_hidden_states: (B, 1, C). Returns (B, 1, C), which broadcasts over the tokens."""
        assert encoder_hidden_states is not None
        assert encoder_hidden_states.shape[1] == 1, f"{encoder_hidden_states.shape[1]} text tokens where 1 is meant"
        return attn.to_out[1](attn.to_out[0](attn.to_v(encoder_hidden_states)))


def rotate(x_BMHD: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding of interleaved pairs, as Wan has it; cosine and sine repeat each angle twice."""
    even, odd = x_BMHD.unflatten(-1, (-1, 2)).unbind(-1)
    cosine, sine = cosine[..., 0::2], sine[..., 1::2]
    turned = torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1)
    return turned.flatten(-2).type_as(x_BMHD)

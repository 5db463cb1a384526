"""Attention processors for diffusers' Wan transformers.

Axes: B batch, M = T*N tokens (frame by frame), C channels, H heads, D head width.
"""

import threading
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from .dispatch import Method, attention_with_reference, sparse_attention
from .kv_cache import StreamStep
from .plan import AttentionPlan
from .rotary import apply_rotary_emb

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_wan import WanAttention, WanTransformer3DModel


class WanSelfAttention:
    """Self-attention of a Wan block: input-aware sparse under `plan`, dense without one.

    Set `plan` before a call of the transformer; it serves all layers and steps of one batch of windows. A `StreamStep`
    is one step of a video that comes in chunks; it keeps the past of each layer. Each thread has its own plan: several
    videos, or several steps of one, may be drawn by one model at the same time. reference: the sequence begins with a
    reference picture that is not in the plan, and that all see.
    """

    def __init__(self, method: Method = "auto", reference: bool = False) -> None:
        self._here = threading.local()
        self.method: Method = method
        self.reference = reference

    @property
    def plan(self) -> AttentionPlan | StreamStep | None:
        return getattr(self._here, "plan", None)

    @plan.setter
    def plan(self, plan: AttentionPlan | StreamStep | None) -> None:
        self._here.plan = plan

    def __reduce__(self) -> tuple[type["WanSelfAttention"], tuple[Method, bool]]:
        return WanSelfAttention, (self.method, self.reference)  # a copy has no plan

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
        q, k, v = _projected(attn, hidden_states)
        q_BMHD, k_BMHD, v_BMHD = (x.unflatten(2, (attn.heads, -1)) for x in (attn.norm_q(q), attn.norm_k(k), v))
        if isinstance(self.plan, StreamStep):
            out_BMHD = self.plan.attend(attn, q_BMHD, k_BMHD, v_BMHD)
            return attn.to_out[1](attn.to_out[0](out_BMHD.flatten(2)))
        if rotary_emb is not None:
            q_BMHD, k_BMHD = (apply_rotary_emb(x, *rotary_emb) for x in (q_BMHD, k_BMHD))
        q_BMHD, k_BMHD = q_BMHD.type_as(v_BMHD), k_BMHD.type_as(v_BMHD)
        if self.plan is None:
            q, k, v = (x.transpose(1, 2) for x in (q_BMHD, k_BMHD, v_BMHD))
            out_BMHD = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        elif self.reference:
            out_BMHD = attention_with_reference(q_BMHD, k_BMHD, v_BMHD, self.plan)
        else:
            out_BMHD = sparse_attention(q_BMHD, k_BMHD, v_BMHD, self.plan, self.method)
        return attn.to_out[1](attn.to_out[0](out_BMHD.flatten(2)))


def set_self_attention(transformer: "WanTransformer3DModel", processor: WanSelfAttention) -> None:
    """Give a Wan transformer of diffusers (plain, VACE and their kin) this self-attention; text attention stays."""
    for block in (*transformer.blocks, *getattr(transformer, "vace_blocks", ())):
        block.attn1.set_processor(processor)


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


def _projected(attn: "WanAttention", x_BMC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values, whether diffusers has fused their weights or not."""
    if attn.fused_projections:
        q, k, v = attn.to_qkv(x_BMC).chunk(3, dim=-1)
        return q, k, v
    return attn.to_q(x_BMC), attn.to_k(x_BMC), attn.to_v(x_BMC)

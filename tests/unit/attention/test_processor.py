"""The processors inside diffusers' own Wan transformer."""

import torch
from diffusers import WanTransformer3DModel

from stages.lib.attention.plan import AttentionPlan
from stages.lib.attention.processor import ConstantCrossAttention, WanSelfAttention

FRAMES, SIDE = 3, 4


def transformer() -> WanTransformer3DModel:
    torch.manual_seed(0)
    return WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=8,
        freq_dim=16, ffn_dim=32, num_layers=2, cross_attn_norm=False, rope_max_seq_len=16,
    ).eval()  # fmt: skip


def run(model: WanTransformer3DModel) -> torch.Tensor:
    x = torch.randn(2, 4, FRAMES, 2 * SIDE, 2 * SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(x, torch.tensor([10.0, 900.0]), torch.ones(2, 1, 8), return_dict=False)[0]


def with_plan(plan: AttentionPlan | None) -> torch.Tensor:
    model, processor = transformer(), WanSelfAttention()
    for block in model.blocks:
        block.attn1.set_processor(processor)
        block.attn2.set_processor(ConstantCrossAttention())
    processor.plan = plan
    return run(model)


def plan_of(past_TK: list[list[int]], region: int) -> AttentionPlan:
    return AttentionPlan(torch.tensor([past_TK] * 2), torch.full((2, FRAMES, SIDE**2), region))


def test_without_a_plan_they_are_diffusers_own() -> None:
    torch.testing.assert_close(with_plan(None), run(transformer()), atol=1e-5, rtol=1e-5)


def test_a_plan_that_looks_at_no_other_frame_separates_the_frames() -> None:
    """The first frame alone gives the same as the first of three: its neighbours do not exist for it."""
    alone = with_plan(plan_of([[-1], [-1], [-1]], region=0))
    past_only = with_plan(plan_of([[-1], [0], [1]], region=1))
    torch.testing.assert_close(alone[:, :, 0], past_only[:, :, 0], atol=1e-5, rtol=1e-5)
    assert (alone[:, :, 1:] - past_only[:, :, 1:]).abs().max() > 1e-4
    assert (alone - with_plan(None)).abs().max() > 1e-4

"""The processors inside diffusers' own Wan transformer."""

import torch
from diffusers import WanTransformer3DModel, WanVACETransformer3DModel

from cospeech.attention.plan import AttentionPlan
from cospeech.attention.processors import ConstantCrossAttention, WanSelfAttention, set_self_attention

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


def vace() -> WanVACETransformer3DModel:
    torch.manual_seed(0)
    return WanVACETransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=8,
        freq_dim=16, ffn_dim=32, num_layers=2, rope_max_seq_len=16, vace_layers=[0, 1], vace_in_channels=6,
    ).eval()  # fmt: skip


def run_vace(model: WanVACETransformer3DModel, moved: int | None = None) -> torch.Tensor:
    """Five text tokens; `moved`: a frame of the control video that is another."""
    generator = torch.Generator().manual_seed(1)
    x, control, text = (torch.randn(*shape, generator=generator) for shape in
                        ((2, 4, FRAMES, 8, 8), (2, 6, FRAMES, 8, 8), (2, 5, 8)))  # fmt: skip
    if moved is not None:
        control[:, :, moved] += 3
    with torch.no_grad():
        return model(
            x, torch.tensor([10.0, 900.0]), text, control_hidden_states=control,
            control_hidden_states_scale=torch.ones(2), return_dict=False,
        )[0]  # fmt: skip


def test_in_a_vace_transformer_it_reaches_the_control_blocks_and_leaves_text_attention_alone() -> None:
    model, processor = vace(), WanSelfAttention()
    text_before = [block.attn2.processor for block in (*model.blocks, *model.vace_blocks)]
    dense = run_vace(model)
    set_self_attention(model, processor)
    torch.testing.assert_close(run_vace(model), dense, atol=1e-5, rtol=1e-5)
    assert [block.attn2.processor for block in (*model.blocks, *model.vace_blocks)] == text_before
    assert all(block.attn1.processor is processor for block in (*model.blocks, *model.vace_blocks))
    processor.plan = plan_of([[-1], [-1], [-1]], region=0)
    change = (run_vace(model, moved=2) - run_vace(model)).abs().amax(dim=(0, 1, 3, 4))
    assert change[:2].max() < 1e-5  # neither path nor control of other frames sees frame 2
    assert change[2] > 1e-4
    processor.plan = plan_of([[-1], [0], [1]], region=1)
    change = (run_vace(model, moved=0) - run_vace(model)).abs().amax(dim=(0, 1, 3, 4))
    assert change.min() > 1e-5


def test_full_attention_as_a_plan_is_diffusers_own_with_many_text_tokens() -> None:
    """One frame: eq. 3 is dense there."""
    model, processor = vace(), WanSelfAttention()
    set_self_attention(model, processor)

    def one_frame() -> torch.Tensor:
        generator = torch.Generator().manual_seed(2)
        x, control, text = (torch.randn(*shape, generator=generator) for shape in
                            ((2, 4, 1, 8, 8), (2, 6, 1, 8, 8), (2, 5, 8)))  # fmt: skip
        with torch.no_grad():
            return model(
                x, torch.tensor([10.0, 900.0]), text, control_hidden_states=control,
                control_hidden_states_scale=torch.ones(2), return_dict=False,
            )[0]  # fmt: skip

    dense = one_frame()
    processor.plan = AttentionPlan(torch.full((2, 1, 2), -1), torch.randint(6, (2, 1, SIDE**2)))
    torch.testing.assert_close(one_frame(), dense, atol=1e-5, rtol=1e-5)


def test_fused_projections_give_the_same() -> None:
    plan = plan_of([[-1], [0], [1]], region=1)
    model, processor = transformer(), WanSelfAttention()
    set_self_attention(model, processor)
    processor.plan = plan
    expected = run(model)
    for block in model.blocks:
        block.attn1.fuse_projections()
    torch.testing.assert_close(run(model), expected, atol=1e-5, rtol=1e-5)

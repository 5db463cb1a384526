import pytest
import torch

from cospeech.attention.plan import AttentionPlan
from cospeech.models.transformers.denoiser import Condition, Denoiser

TINY = {"latent_channels": 3, "pose_channels": 5, "width": 24, "layers": 2, "heads": 2, "conv_width": 8}
B, T, H = 2, 4, 8


def tiny_denoiser() -> Denoiser:
    torch.manual_seed(0)
    denoiser = Denoiser(**TINY).eval()
    torch.nn.init.normal_(denoiser.conv_last.weight, std=0.1)
    return denoiser


def window() -> tuple[torch.Tensor, torch.Tensor, Condition]:
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    condition = Condition(draw(B, 5, T, H, H), draw(B, 3, H, H), draw(B, 5, H, H))
    return draw(B, 3, T, H, H), torch.tensor([0.9, 0.3]), condition


@torch.no_grad()
def test_untrained_output_is_a_share_of_the_reference():
    noisy, time, condition = window()
    out = Denoiser(**TINY)(noisy, time, condition)
    share = torch.sigmoid(torch.tensor(1.0))
    torch.testing.assert_close(out, share * condition.reference_BChw[:, :, None].expand(-1, -1, T, -1, -1))


@torch.no_grad()
def test_saved_and_loaded_denoiser_gives_the_same_bits(tmp_path):
    denoiser = tiny_denoiser()
    denoiser.save_pretrained(tmp_path)
    noisy, time, condition = window()
    loaded = Denoiser.from_pretrained(tmp_path).eval()
    assert torch.equal(loaded(noisy, time, condition), denoiser(noisy, time, condition))


@torch.no_grad()
def test_every_input_matters_and_windows_of_a_batch_do_not_mix():
    denoiser = tiny_denoiser()
    noisy, time, condition = window()
    base = denoiser(noisy, time, condition)
    pose, reference, reference_pose = condition.pose_BPThw, condition.reference_BChw, condition.reference_pose_BPhw
    changed = [
        denoiser(noisy + 1, time, condition),
        denoiser(noisy, time * 0.5, condition),
        denoiser(noisy, time, Condition(pose + 1, reference, reference_pose)),
        denoiser(noisy, time, Condition(pose, reference + 1, reference_pose)),
        denoiser(noisy, time, Condition(pose, reference, reference_pose + 1)),
    ]
    for other in changed:
        assert (other - base).abs().max() > 1e-3
    noisy[1] += 1
    torch.testing.assert_close(denoiser(noisy, time, condition)[0], base[0], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_plan_reaches_the_attention_and_is_gone_afterwards():
    denoiser = tiny_denoiser()
    noisy, time, condition = window()
    dense = denoiser(noisy, time, condition)
    tokens = (H // 2) ** 2
    alone = AttentionPlan(torch.full((B, T, 1), -1), torch.zeros(B, T, tokens, dtype=torch.long))
    planned = denoiser(noisy, time, condition, alone)
    assert (planned - dense).abs().max() > 1e-4
    assert torch.equal(denoiser(noisy, time, condition), dense)
    # under that plan a frame sees itself only, so its neighbours do not matter
    noisy[:, :, -1] += 1
    torch.testing.assert_close(denoiser(noisy, time, condition, alone)[:, :, 0], planned[:, :, 0], atol=1e-5, rtol=1e-5)


def test_all_weights_that_matter_are_trained():
    denoiser = tiny_denoiser()
    noisy, time, condition = window()
    denoiser(noisy, time, condition).square().mean().backward()
    silent = {name for name, weight in denoiser.named_parameters() if weight.grad is None}
    assert all(".attn2." in name for name in silent), silent


@torch.no_grad()
def test_the_deformed_reference_is_used_and_asked_for():
    torch.manual_seed(0)
    denoiser = Denoiser(**TINY, reference_warp=True).eval()
    noisy, time, condition = window()
    with pytest.raises(ValueError, match="warped_BCThw is None"):
        denoiser(noisy, time, condition)
    given = Condition(condition.pose_BPThw, condition.reference_BChw, condition.reference_pose_BPhw, noisy * 0 + 5)
    # untrained: half way between the reference and its deformation, times the gate
    expected = (condition.reference_BChw[:, :, None].expand_as(noisy) + 5) / 2 * torch.sigmoid(torch.tensor(1.0))
    torch.testing.assert_close(denoiser(noisy, time, given), expected)
    part = given.frames(1, 3)
    assert part.warped_BCThw is not None
    assert part.warped_BCThw.shape[2] == part.pose_BPThw.shape[2] == 2
    torch.testing.assert_close(denoiser(noisy[:, :, 1:3], time, part), expected[:, :, 1:3])


def test_width_must_be_a_multiple_of_heads():
    with pytest.raises(ValueError, match="width 24 is not a multiple of heads 5"):
        Denoiser(**{**TINY, "heads": 5})

"""The gathered attention against the mask written out: outputs and gradients, in every shape that poses can make."""

import shutil
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from cospeech.attention.backends.dense import Dense, dense_mask
from cospeech.attention.backends.flex import Flex
from cospeech.attention.backends.gathered import Gathered
from cospeech.attention.backends.two_part import TwoPart
from cospeech.attention.backends.varlen import Varlen
from cospeech.attention.backends.with_reference import attend_with_reference
from cospeech.attention.dispatch import Method, sparse_attention, two_part_backend
from cospeech.attention.plan import AttentionPlan
from tests.helpers.devices import DEVICES

TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 4e-2}


def make_plan(
    frames: int, tokens: int, past: int, batch: int = 1, regions: tuple[int, ...] = (0, 1, 2, 3, 4, 5), seed: int = 0
) -> AttentionPlan:
    """Random past frames and random, ragged regions."""
    generator = torch.Generator().manual_seed(seed)
    past_BTK = torch.full((batch, frames, past), -1)
    for b in range(batch):
        for t in range(frames):
            chosen = torch.randperm(t, generator=generator)[:past]
            past_BTK[b, t, : len(chosen)] = chosen
    choice = torch.randint(len(regions), (batch, frames, tokens), generator=generator)
    return AttentionPlan(past_BTK, torch.tensor(regions)[choice])


def with_empty_regions() -> AttentionPlan:
    """Regions that are missing in some frames, in all frames, and frames of one region alone."""
    plan = make_plan(4, 12, 2, regions=(0, 1, 3))
    region_BTN = plan.region_BTN.clone()
    region_BTN[0, 1] = 0
    region_BTN[0, 2] = 1
    region_BTN[0, 3][region_BTN[0, 3] == 3] = 2
    return AttentionPlan(plan.past_BTK, region_BTN)


PLANS = {
    "ragged": make_plan(5, 12, 2),
    "empty regions": with_empty_regions(),
    "K beyond the past": make_plan(3, 9, 7),
    "one frame": make_plan(1, 16, 2),
    "no past at all": make_plan(4, 8, 0),
    "background only": make_plan(3, 8, 2, regions=(0,)),
    "one region only": make_plan(3, 8, 2, regions=(4,)),
    "batch of different poses": make_plan(4, 10, 2, batch=3),
    "equal sets": AttentionPlan(torch.tensor([[[-1], [0]]]), torch.tensor([[[0, 1, 1, 2], [2, 1, 0, 1]]])),
}


def qkv(plan: AttentionPlan, dtype: torch.dtype, width: int = 8) -> list[torch.Tensor]:
    batch, frames, tokens = plan.region_BTN.shape
    generator = torch.Generator().manual_seed(1)
    drawn = [torch.randn(batch, frames * tokens, 2, width, generator=generator) for _ in range(4)]
    return [x.to(plan.region_BTN.device, dtype).requires_grad_() for x in drawn]


@pytest.mark.parametrize("method", ["gathered", "varlen"])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", PLANS)
def test_forward_and_backward_equal_the_dense_reference(
    name: str, dtype: torch.dtype, device: str, method: Method
) -> None:
    check_against_dense(PLANS[name].to(device), dtype, method)


def check_against_dense(plan: AttentionPlan, dtype: torch.dtype, method: Method, width: int = 8) -> None:
    q, k, v, upstream = qkv(plan, dtype, width)
    found, expected = (sparse_attention(q, k, v, plan, each) for each in (method, "dense"))
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)
    found_gradients = torch.autograd.grad(found, (q, k, v), upstream)
    expected_gradients = torch.autograd.grad(expected, (q, k, v), upstream)
    for one, other in zip(found_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


def test_gradients_are_those_of_the_function() -> None:
    """Against finite differences, so that both paths cannot be wrong together."""
    plan = with_empty_regions()
    q, k, v, _ = (x.detach().double().requires_grad_() for x in qkv(plan, torch.float32))
    assert torch.autograd.gradcheck(lambda *x: sparse_attention(*x, plan, "gathered"), (q, k, v), fast_mode=True)


@pytest.mark.parametrize(("frames", "tokens", "kind"), [(4, 96, Dense), (5, 100, Gathered)])
def test_few_tokens_are_attended_densely_and_many_gathered(
    frames: int, tokens: int, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(frames, tokens, 2)
    q, k, v = (torch.randn(1, frames * tokens, 2, 16) for _ in range(3))
    expected = sparse_attention(q, k, v, make_plan(frames, tokens, 2), "dense")
    made: list[type] = []
    for each in (Dense, Gathered, Varlen, Flex):
        monkeypatch.setattr(each, "of", noted(each, made))
    for _ in range(2):  # the tables of the chosen one, once
        torch.testing.assert_close(sparse_attention(q, k, v, plan), expected, atol=2e-5, rtol=2e-5)
    assert made == [kind]
    assert two_part_backend(torch.device("cuda")) is Varlen


def noted(kind: type, made: list[type]) -> Callable[[AttentionPlan], Any]:
    build = kind.of  # type: ignore[attr-defined]

    def of(plan: AttentionPlan) -> Any:
        made.append(kind)
        return build(plan)

    return of


def test_tables_go_where_the_plan_goes_and_end_with_it() -> None:
    plan = make_plan(5, 12, 2)
    kinds = (Dense, Gathered, Varlen, Flex)
    made = {kind: plan.tables(kind) for kind in kinds}
    assert all(plan.tables(kind) is tables for kind, tables in made.items())
    moved = plan.to("meta")  # where none could be made
    assert moved.tables(Dense).mask_BMM.device.type == "meta"
    assert moved.tables(Gathered).rows.key_P.shape == made[Gathered].rows.key_P.shape
    assert moved.tables(Varlen).lengths.cu_seq_q.device.type == "meta"
    assert moved.tables(Flex).blocks.kv_indices.device.type == "meta"
    left = weakref.ref(made[Gathered])
    del plan, made
    assert left() is None


def test_a_token_out_of_sight_has_no_influence() -> None:
    """Moving what the mask hides moves nothing; moving what it shows does."""
    plan = PLANS["equal sets"]
    q, k, v, _ = qkv(plan, torch.float32)
    before = sparse_attention(q, k, v, plan, "gathered")[0, 4]  # frame 1, token 0: region 2, sees token 3 of frame 0
    hidden, shown = v.detach().clone(), v.detach().clone()
    hidden[0, :3] += 5
    shown[0, 3] += 5
    torch.testing.assert_close(sparse_attention(q, k, hidden, plan, "gathered")[0, 4], before)
    assert (sparse_attention(q, k, shown, plan, "gathered")[0, 4] - before).abs().max() > 0.01


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("device", DEVICES)
def test_two_runs_give_equal_gradients(device: str) -> None:
    plan = make_plan(6, 32, 2, batch=2).to(device)
    q, k, v, upstream = qkv(plan, torch.bfloat16)
    first, second = (
        torch.autograd.grad(sparse_attention(q, k, v, plan, "gathered"), (q, k, v), upstream) for _ in range(2)
    )
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", PLANS)
def test_flex_attention_equals_the_dense_reference(name: str, dtype: torch.dtype) -> None:
    """Forward and backward of PyTorch's own reference of FlexAttention, under our BlockMask."""
    plan = PLANS[name].to(DEVICES[-1])
    q, k, v, upstream = qkv(plan, dtype)
    found, expected = plan.tables(Flex).attend(q, k, v, compiled=False), sparse_attention(q, k, v, plan, "dense")
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)
    found_gradients = torch.autograd.grad(found, (q, k, v), upstream)
    expected_gradients = torch.autograd.grad(expected, (q, k, v), upstream)
    for one, other in zip(found_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


def test_blocks_meet_where_the_mask_has_pairs_and_in_full_where_it_has_all() -> None:
    """Against the mask over all pairs, which the block table is never made from."""
    plan = make_plan(5, 100, 2, batch=2)
    flex = plan.tables(Flex)
    mask = flex.blocks
    for b in range(2):
        pairs = dense_mask(plan)[b][flex.order_BM[b]][:, flex.order_BM[b]]
        for i, rows in enumerate(pairs.split(128)):
            blocks = list(rows.split(128, dim=1))
            some = [j for j, block in enumerate(blocks) if block.any() and not block.all()]
            full = [j for j, block in enumerate(blocks) if block.all()]
            assert mask.kv_indices[b, 0, i, : mask.kv_num_blocks[b, 0, i]].tolist() == some
            assert mask.full_kv_indices[b, 0, i, : mask.full_kv_num_blocks[b, 0, i]].tolist() == full


@pytest.mark.skipif("cuda" not in DEVICES, reason="FlexAttention has a backward on GPUs alone, and there is none")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["long", "batch", "frames that do not fill blocks"])
def test_flex_attention_on_a_gpu_equals_the_dense_reference(name: str, dtype: torch.dtype) -> None:
    """Compiled, forward and backward."""
    plans = {"long": make_plan(7, 256, 2), "batch": make_plan(3, 128, 2, batch=2)}
    plan = plans.get(name, make_plan(5, 100, 2))
    check_against_dense(plan.to("cuda"), dtype, "flex", width=64)


@pytest.mark.skipif(not shutil.which("g++"), reason="FlexAttention on a CPU is compiled, and there is no g++")
def test_compiled_flex_attention_equals_the_dense_reference() -> None:
    for frames in (3, 2):  # a second length is compiled anew
        plan = make_plan(frames, 100, 2)
        generator = torch.Generator().manual_seed(1)
        q, k, v = (torch.randn(1, frames * 100, 2, 16, generator=generator) for _ in range(3))
        found = sparse_attention(q, k, v, plan, method="flex")
        torch.testing.assert_close(found, sparse_attention(q, k, v, plan, "dense"), atol=2e-5, rtol=2e-5)


def test_flex_attention_on_a_cpu_says_that_it_has_no_backward() -> None:
    plan = PLANS["ragged"]
    q, k, v, _ = qkv(plan, torch.float32)
    with pytest.raises(ValueError, match="no backward"):
        sparse_attention(q, k, v, plan, method="flex")


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("past", [0, 2, 9])
@pytest.mark.parametrize("kind", [Gathered, Varlen])
def test_a_reference_that_all_see(kind: type[TwoPart], dtype: torch.dtype, past: int, device: str) -> None:
    """The first frame of the sequence, beside a plan over the others; values and gradients."""
    plan = make_plan(5, 24, past, batch=2, seed=past).to(device)
    generator = torch.Generator().manual_seed(0)
    given = [torch.randn(2, 6 * 24, 2, 16, generator=generator).to(device, dtype) for _ in range(4)]
    found = []
    for path in ("fast", "dense"):
        q, k, v = (x.clone().requires_grad_() for x in given[:3])
        if path == "fast":
            out = attend_with_reference(q, k, v, plan.tables(kind))
        else:
            out = torch.nn.functional.scaled_dot_product_attention(
                *(x.transpose(1, 2) for x in (q, k, v)), attn_mask=mask_with_reference(plan)[:, None]
            ).transpose(1, 2)
        out.backward(given[3])
        found.append([out, q.grad, k.grad, v.grad])
    for fast, dense in zip(*found, strict=True):
        torch.testing.assert_close(fast, dense, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])


def mask_with_reference(plan: AttentionPlan) -> torch.Tensor:
    """(B, M, M) bool, M = (1 + T) * N."""
    tokens = plan.region_BTN.shape[2]
    mask_BMM = torch.nn.functional.pad(dense_mask(plan), (tokens, 0, tokens, 0))
    mask_BMM[:, :, :tokens] = True
    return mask_BMM

"""A step of a stream with its constants worked out before equals the denoiser's own, in float32 and in bfloat16."""

import numpy as np
import pytest
import torch

from stages.lib.attention.streaming import Memory, StreamStep
from stages.lib.nets.denoiser import Condition, Denoiser
from stages.lib.nets.lean import LeanStep
from stages.lib.nets.precision import Precision, autocast
from stages.lib.streaming import StudentStream
from tests.parity.test_streaming import poses

CELLS, CHUNKS, STEPS = 16, (3, 1, 4), 2


class EagerStream(StudentStream):
    """As it would be drawn by calls of the denoiser."""

    def _lean(self, index: int, device: torch.device) -> LeanStep:
        def eager(noisy: torch.Tensor, condition: Condition, step: StreamStep) -> torch.Tensor:
            return self._denoiser(noisy, noisy.new_full((1,), self._times[index]), condition, step)

        return eager  # type: ignore[return-value]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "warped"])
def denoiser(request: pytest.FixtureRequest) -> Denoiser:
    torch.manual_seed(0)
    model = Denoiser(3, 5, width=48, layers=2, heads=2, conv_width=16, reference_warp=request.param)
    for name, weight in model.named_parameters():  # nothing stays at nought or one, as it is before training
        if "norm_" in name or name.endswith("bias"):
            torch.nn.init.normal_(weight, mean=1.0 if name.endswith("weight") else 0.0, std=0.2)
    torch.nn.init.normal_(model.conv_last.weight, std=0.3)
    return model.eval()


def drawn(stream: StudentStream, warp: bool, precision: Precision) -> torch.Tensor:
    generator, parts, start = torch.Generator().manual_seed(1), [], 0
    keypoints, confidence = poses(sum(CHUNKS))
    still = torch.randn(1, 3, CELLS, CELLS, generator=generator), torch.randn(1, 5, CELLS, CELLS, generator=generator)
    for length in CHUNKS:
        now = slice(start, start + length)
        start += length
        noise, warped = torch.randn(2, 1, 3, length, CELLS, CELLS, generator=generator)
        pose = torch.randn(1, 5, length, CELLS, CELLS, generator=generator)
        condition = Condition(pose, *still, warped if warp else None)
        with torch.no_grad(), autocast(torch.device("cpu"), precision):
            parts.append(stream.draw(noise, condition, keypoints[now], confidence[now]))
    return torch.cat(parts, 2)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 0.03)])
def test_a_lean_step_equals_the_denoiser(denoiser: Denoiser, precision: Precision, tolerance: float) -> None:
    memory = Memory(2, frames=6, recent=2, longest=4)
    lean, eager = (kind(denoiser, (CELLS, CELLS), STEPS, 2.0, memory) for kind in (StudentStream, EagerStream))
    warp = bool(denoiser.config["reference_warp"])
    found, expected = drawn(lean, warp, precision), drawn(eager, warp, precision)
    assert found.dtype == torch.float32
    error = (found - expected).square().mean().sqrt() / expected.std()
    assert error < tolerance, float(error)
    assert expected.std() > 0.3


def test_bfloat16_is_no_further_from_float32_than_the_denoisers_own(denoiser: Denoiser) -> None:
    memory, warp = Memory(2, frames=6, recent=2, longest=4), bool(denoiser.config["reference_warp"])
    streams = [(EagerStream, "fp32"), (EagerStream, "bf16"), (StudentStream, "bf16")]
    exact, eager, lean = (
        drawn(kind(denoiser, (CELLS, CELLS), STEPS, 2.0, memory), warp, precision)  # type: ignore[arg-type]
        for kind, precision in streams
    )
    errors = [float((x - exact).square().mean().sqrt()) for x in (eager, lean)]
    assert errors[1] < 1.2 * errors[0]
    assert np.isfinite(errors).all()

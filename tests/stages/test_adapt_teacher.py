"""The teacher under the mask: it gets used to what it no longer sees."""

from pathlib import Path

import pytest
import torch

from cospeech.config import Params
from cospeech.config.models import AdaptSection, AttentionSection
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.models.transformers.denoiser import Denoiser
from stages import adapt_teacher
from tests.stages.tiny_project import Bar, context_of, make_project, tiny_params


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return tiny_params(repository)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_project(tmp_path_factory.mktemp("project"))


def masked(params: Params, *parts: str) -> Params:
    section = AttentionSection.model_validate({**params.attention.model_dump(), "mask": parts})
    return params.model_copy(update={"attention": section})


def weights(workspace: Workspace) -> dict[str, torch.Tensor]:
    return Denoiser.from_pretrained(workspace.model("adapted_teacher")).state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_training_lowers_the_loss_under_the_mask(params: Params, workspace: Workspace) -> None:
    optimisation = {**params.adapt.optimisation.model_dump(), "steps": 40, "lr": 0.01}
    section = AdaptSection.model_validate({**params.adapt.model_dump(), "optimisation": optimisation})
    report = adapt_teacher.run(params.model_copy(update={"adapt": section}), context_of(workspace.root))
    figures = report.figures
    assert float(figures["loss_adapted"] or 0) < 0.8 * float(figures["loss_masked"] or 0)
    assert figures["loss_masked"] != figures["loss_dense"]
    assert 0 < float(figures["attended_share"] or 0) < 1
    assert "global and local" in report.summary
    assert StageReport.load(workspace.stage_report("adapt_teacher")).figures == figures


def test_each_part_of_the_mask_matters_and_global_alone_sees_more(params: Params, workspace: Workspace) -> None:
    adapted, shares = [], []
    for parts in ((), ("global",), ("local",), ("global", "local")):
        report = adapt_teacher.run(masked(params, *parts), context_of(workspace.root))
        adapted.append(weights(workspace))
        shares.append(float(report.figures["attended_share"] or 0))
    dense, by_global, by_local, both = shares
    assert dense == 1 > by_global > both
    assert by_local >= both
    assert not any(same(adapted[0], other) for other in adapted[1:])
    assert not same(adapted[1], adapted[3])


def test_an_interrupted_run_goes_on_to_the_same_weights(
    params: Params, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapt_teacher.run(params, context_of(workspace.root))
    whole = weights(workspace)
    monkeypatch.setattr("cospeech.training.checkpoint.Checkpoint.due", lambda self: True)
    with pytest.raises(KeyboardInterrupt):
        adapt_teacher.run(params, context_of(workspace.root, Bar(stop_after=3)))
    assert list(workspace.scratch.iterdir())
    adapt_teacher.run(params, context_of(workspace.root))
    assert same(whole, weights(workspace))
    assert not list(workspace.scratch.iterdir())

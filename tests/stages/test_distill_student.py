"""The student: the adapted teacher's weights under sparse attention, taught by its paths and by the truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from cospeech.config import Params
from cospeech.config.models import StudentSection
from cospeech.harness.files import file_digest
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.models.transformers.denoiser import Denoiser
from cospeech.training.dmd import draw_few_steps, matching_loss
from stages import distill_student, teacher_targets
from tests.stages.tiny_project import Bar, context_of, make_project, tiny_params


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return tiny_params(repository)


@pytest.fixture(scope="module")
def workspace(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """With targets; each test writes models/student anew."""
    workspace = make_project(tmp_path_factory.mktemp("project"))
    teacher_targets.run(params, context_of(workspace.root))
    return workspace


@dataclass(frozen=True)
class Run:
    """weights: of the student. files: digests of student and report."""

    report: StageReport
    weights: dict[str, torch.Tensor]
    files: list[str]


@pytest.fixture(scope="module")
def full(params: Params, workspace: Workspace) -> Run:
    """All terms on, not interrupted."""
    return run(params, workspace)


def run(params: Params, workspace: Workspace) -> Run:
    report = distill_student.run(params, context_of(workspace.root))
    folders = (workspace.model("student"), workspace.stage_report("distill_student"))
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return Run(report, weights(workspace), [file_digest(path) for path in files])


def changed(params: Params, **student: object) -> Params:
    section = StudentSection.model_validate({**params.student.model_dump(), **student})
    return params.model_copy(update={"student": section})


def phase(params: Params, count: int, lr: float) -> dict[str, object]:
    return {**params.student.regress.model_dump(), "steps": count, "lr": lr}


def weights(workspace: Workspace, model: str = "student") -> dict[str, torch.Tensor]:
    return Denoiser.from_pretrained(workspace.model(model)).state_dict()


def test_it_trains_a_student_and_says_how_good_it_is(params: Params, workspace: Workspace) -> None:
    made = run(params, workspace)
    report, student, teacher = made.report, made.weights, weights(workspace, "adapted_teacher")
    assert student.keys() == teacher.keys()
    assert any(not torch.equal(student[name], teacher[name]) for name in student)
    assert {"psnr_seen_1_steps", "psnr_seen_2_steps", "psnr_unseen_4_steps"} <= report.figures.keys()
    assert 0 < float(report.figures["attended_share"] or 0) < 1
    assert {"student_fps", "teacher_fps", "ratio"} == report.timings.keys()
    assert report.pictures
    assert all(path.is_file() for path in report.pictures.values())
    assert StageReport.load(workspace.stage_report("distill_student")).figures == report.figures
    assert not list(workspace.scratch.iterdir())


def test_two_runs_give_equal_files(params: Params, workspace: Workspace, full: Run) -> None:
    assert run(params, workspace).files == full.files


@pytest.mark.parametrize("stop_after", [2, 6], ids=["regression", "matching"])
def test_an_interrupted_run_goes_on_to_the_same_weights(
    params: Params, workspace: Workspace, full: Run, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    monkeypatch.setattr("cospeech.training.checkpoint.Checkpoint.due", lambda self: True)
    with pytest.raises(KeyboardInterrupt):
        distill_student.run(params, context_of(workspace.root, Bar(stop_after=stop_after)))
    assert list(workspace.scratch.iterdir())
    distill_student.run(params, context_of(workspace.root))
    again = weights(workspace)
    assert all(torch.equal(full.weights[name], again[name]) for name in full.weights)


@pytest.mark.parametrize("off", ["regression", "dmd", "region"])
def test_each_term_can_be_switched_off_and_matters(params: Params, workspace: Workspace, full: Run, off: str) -> None:
    without = run(changed(params, **{off: 0.0}), workspace).weights
    assert any(not torch.equal(full.weights[name], without[name]) for name in without)


def losses(workspace: Workspace, name: str) -> list[float]:
    rows = (workspace.stage_report("distill_student") / name / "loss.csv").read_text().splitlines()[1:]
    return [float(row.split(",")[1]) for row in rows]


def test_regression_lowers_its_loss(params: Params, workspace: Workspace) -> None:
    only = changed(params, regress=phase(params, 60, 0.01), dmd=0.0, region=0.0)
    report = distill_student.run(only, context_of(workspace.root))
    found = losses(workspace, "regression")
    assert len(found) == 60
    assert sum(found[-15:]) < 0.8 * sum(found[:15])
    assert "loss_matching" not in report.figures


def test_the_region_loss_alone_is_lowered_and_says_what_it_looked_at(params: Params, workspace: Workspace) -> None:
    only = changed(params, match=phase(params, 60, 0.01), regression=0.0, dmd=0.0)
    report = distill_student.run(only, context_of(workspace.root))
    found = losses(workspace, "matching")
    assert sum(found[-15:]) < 0.8 * sum(found[:15])
    assert report.figures["features_face"] == report.figures["features_other_regions"] == "codec"


def test_without_regression_no_targets_are_needed(params: Params, workspace: Workspace) -> None:
    kept = workspace.targets.rename(workspace.root / "kept")
    try:
        distill_student.run(changed(params, regression=0.0), context_of(workspace.root))
    finally:
        kept.rename(workspace.targets)


@pytest.mark.parametrize("count", [1, 4])
def test_it_is_distilled_for_one_and_four_steps_too(params: Params, workspace: Workspace, count: int) -> None:
    targets = params.targets.model_copy(update={"states": 4})
    wanted = changed(params, steps=count).model_copy(update={"targets": targets})
    teacher_targets.run(wanted, context_of(workspace.root))
    report = distill_student.run(wanted, context_of(workspace.root))
    assert report.figures[f"psnr_seen_{count}_steps"] is not None
    assert f"student at {count} steps" in report.summary
    teacher_targets.run(params, context_of(workspace.root))


def test_its_samples_begin_with_noise_of_the_temperature(
    params: Params, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they are noised with, for teacher and critic to judge, is as large as in training."""
    begun: list[torch.Tensor] = []
    judged: list[torch.Tensor] = []

    def draw(net: Denoiser, noise: torch.Tensor, *rest: Any) -> torch.Tensor:
        begun.append(noise.detach().flatten())
        return draw_few_steps(net, noise, *rest)

    def match(teacher: Denoiser, critic: Denoiser, made: torch.Tensor, noise: torch.Tensor, *rest: Any) -> torch.Tensor:
        judged.append(noise.flatten())
        return matching_loss(teacher, critic, made, noise, *rest)

    monkeypatch.setattr("cospeech.training.distillation.draw_few_steps", draw)
    monkeypatch.setattr("cospeech.training.distillation.matching_loss", match)
    run(changed(params, regression=0.0), workspace)
    assert params.teacher.temperature != 1
    assert torch.cat(begun).std().item() == pytest.approx(params.teacher.temperature, rel=0.05)
    assert torch.cat(judged).std().item() == pytest.approx(1, rel=0.05)


def test_missing_targets_say_which_stage_to_run(params: Params, workspace: Workspace) -> None:
    kept = workspace.targets.rename(workspace.root / "kept")
    try:
        with pytest.raises(ValueError, match="teacher_targets"):
            distill_student.run(params, context_of(workspace.root))
    finally:
        kept.rename(workspace.targets)


def test_a_step_count_that_the_targets_do_not_hold_is_refused(params: Params, workspace: Workspace) -> None:
    with pytest.raises(ValueError, match=r"student.steps is 3, .* 2"):
        distill_student.run(changed(params, steps=3), context_of(workspace.root))


def test_a_student_without_a_goal_is_refused(params: Params) -> None:
    with pytest.raises(ValueError, match="regression, dmd and region are all 0"):
        changed(params, regression=0.0, dmd=0.0, region=0.0)

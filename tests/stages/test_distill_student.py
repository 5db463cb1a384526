"""The student: the adapted teacher's weights under sparse attention, taught by its paths and by the truth."""

from pathlib import Path

import pytest
import torch

from stages import distill_student, teacher_targets
from stages.lib.files import file_digest
from stages.lib.nets.denoiser import Denoiser
from stages.lib.report import StageReport
from stages.lib.workspace import Workspace
from stages.params import Params, StudentSection
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


def changed(params: Params, **student: object) -> Params:
    section = StudentSection.model_validate({**params.student.model_dump(), **student})
    return params.model_copy(update={"student": section})


def steps(params: Params, count: int) -> dict[str, object]:
    return {**params.student.optimisation.model_dump(), "steps": count}


def weights(workspace: Workspace, model: str = "student") -> dict[str, torch.Tensor]:
    return Denoiser.from_pretrained(workspace.model(model)).state_dict()


def test_it_trains_a_student_and_says_how_good_it_is(params: Params, workspace: Workspace) -> None:
    report = distill_student.run(params, context_of(workspace.root))
    student, teacher = weights(workspace), weights(workspace, "adapted_teacher")
    assert student.keys() == teacher.keys()
    assert any(not torch.equal(student[name], teacher[name]) for name in student)
    assert {"psnr_seen_1_steps", "psnr_seen_2_steps", "psnr_unseen_4_steps"} <= report.figures.keys()
    assert 0 < float(report.figures["attended_share"] or 0) < 1
    assert {"student_fps", "teacher_fps", "ratio"} == report.timings.keys()
    assert all(path.is_file() for path in report.pictures.values())
    assert StageReport.load(workspace.stage_report("distill_student")).figures == report.figures
    assert not list(workspace.scratch.iterdir())


def test_two_runs_give_equal_files(params: Params, workspace: Workspace) -> None:
    def outputs() -> list[str]:
        distill_student.run(params, context_of(workspace.root))
        folders = (workspace.model("student"), workspace.stage_report("distill_student"))
        return [file_digest(path) for folder in folders for path in sorted(folder.iterdir())]

    assert outputs() == outputs()


def test_an_interrupted_run_goes_on_to_the_same_weights(
    params: Params, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    distill_student.run(params, context_of(workspace.root))
    whole = weights(workspace)
    monkeypatch.setattr("stages.lib.checkpoint.Checkpoint.due", lambda self: True)
    with pytest.raises(KeyboardInterrupt):
        distill_student.run(params, context_of(workspace.root, Bar(stop_after=3)))
    assert list(workspace.scratch.iterdir())
    distill_student.run(params, context_of(workspace.root))
    again = weights(workspace)
    assert all(torch.equal(whole[name], again[name]) for name in whole)


@pytest.mark.parametrize("off", ["regression", "region"])
def test_each_term_can_be_switched_off_and_matters(params: Params, workspace: Workspace, off: str) -> None:
    distill_student.run(params, context_of(workspace.root))
    both = weights(workspace)
    distill_student.run(changed(params, **{off: 0.0}), context_of(workspace.root))
    one = weights(workspace)
    assert any(not torch.equal(both[name], one[name]) for name in both)


def test_training_lowers_the_loss(params: Params, workspace: Workspace) -> None:
    optimisation = {**steps(params, 60), "lr": 0.01}
    distill_student.run(changed(params, optimisation=optimisation), context_of(workspace.root))
    rows = (workspace.stage_report("distill_student") / "loss.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[1]) for row in rows]
    assert len(losses) == 60
    assert sum(losses[-15:]) < 0.8 * sum(losses[:15])


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
    with pytest.raises(ValueError, match="nothing is left to learn"):
        changed(params, regression=0.0, region=0.0)

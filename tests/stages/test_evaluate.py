"""The whole evaluation on tiny untrained models and short synthetic clips, with the real detector."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages import evaluate
from stages.lib.artifacts import Curated
from stages.lib.files import folder_digest, read_json
from stages.lib.media import probe, read_frames
from stages.lib.metrics.catalogue import MEASURES, UNAVAILABLE
from stages.lib.metrics.pictures import psnr
from stages.lib.provenance.video import read_credentials
from stages.lib.report import StageReport
from stages.lib.workspace import Workspace
from tests.stages.tiny_run import SIZE, context_of, make_workspace, tiny_params


@pytest.fixture(scope="module")
def evaluated(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, StageReport]:
    workspace = make_workspace(tmp_path_factory.mktemp("evaluate"))
    return workspace, evaluate.run(tiny_params(repository), context_of(workspace))


def reasons_of(table: dict[str, Any]) -> dict[str, str]:
    return {each["measure"]: each["reason"] for each in table["reasons"]}


def test_every_model_has_every_measure_or_a_reason(evaluated: tuple[Workspace, StageReport]) -> None:
    metrics = read_json(evaluated[0].metrics)
    for model in evaluate.MODELS:
        table = metrics[model]
        names = [measure.key for measure in MEASURES] + list(UNAVAILABLE)
        missing = [name for name in names if table[name] is None]
        assert sorted(missing) == sorted(reasons_of(table))
        assert set(UNAVAILABLE) <= set(missing)
        assert table["seen"]["clips"] == table["unseen"]["clips"] == 1
    for model in ("teacher", "student"):
        assert metrics[model]["psnr"] == pytest.approx(
            (metrics[model]["seen"]["psnr"] + metrics[model]["unseen"]["psnr"]) / 2
        )
        assert metrics[model]["sync_c"] >= 0
        assert "not the published SyncNet" in metrics[model]["sync_source"]
    assert "compared with" in reasons_of(metrics["ground_truth"])["psnr"]
    assert metrics["codec"]["psnr"] > metrics["teacher"]["psnr"]  # the ceiling of what latents can show


def test_the_protocol_names_what_was_measured(evaluated: tuple[Workspace, StageReport]) -> None:
    protocol = read_json(evaluated[0].metrics)["protocol"]
    assert protocol["seen"] == ["ann-2"]
    assert protocol["unseen"] == ["bob-1"]
    assert protocol["frames"] == 20
    assert protocol["clips"][0] == {"clip": "ann-2", "speaker": "ann", "seen": True, "start": 15, "stop": 25}


def test_copying_the_reference_scores_what_it_must(evaluated: tuple[Workspace, StageReport]) -> None:
    workspace = evaluated[0]
    expected = []
    for clip in ("ann-2", "bob-1"):
        frames = read_frames(workspace.video(clip))
        expected.append(psnr(np.repeat(frames[:1], 10, 0), frames[15:25]).mean())
    copied = read_json(workspace.metrics)["copy_reference"]
    assert copied["psnr"] == pytest.approx(np.mean(expected))
    assert copied["hkc"] == pytest.approx(0.9)
    assert copied["hkv"] == 0


def test_speed_is_there_for_both_models(evaluated: tuple[Workspace, StageReport]) -> None:
    speed = read_json(evaluated[0].metrics)["speed"]
    assert speed["ratio"] == pytest.approx(speed["student_fps"] / speed["teacher_fps"])
    for name in ("teacher", "student"):
        assert speed[name]["denoise_ms"] > 0 < speed[name]["decode_ms"]
        assert speed[name]["median_ms"] == pytest.approx(1000 / speed[f"{name}_fps"])
    assert speed["device"]


def test_samples_have_picture_and_sound(evaluated: tuple[Workspace, StageReport]) -> None:
    comparison, whole = (evaluated[0].samples / name for name in ("ann-2.mp4", "ann-2_student.mp4"))
    assert {path.name for path in evaluated[0].samples.iterdir()} == {comparison.name, whole.name}
    shown, student = read_frames(comparison), read_frames(whole)
    assert shown.shape == (10, SIZE + 24, 5 * SIZE, 3)
    assert student.shape == (40, SIZE, SIZE, 3)
    truth = read_frames(evaluated[0].video("ann-2"))[15:25]
    assert psnr(np.ascontiguousarray(shown[:, 24:, 2 * SIZE : 3 * SIZE]), truth).mean() > 25
    for path in (comparison, whole):
        assert probe(path).audio


def test_samples_carry_credentials(evaluated: tuple[Workspace, StageReport]) -> None:
    workspace = evaluated[0]
    student, *others = sorted(workspace.samples.glob("*.mp4"), key=lambda path: not path.stem.endswith("_student"))
    found = [read_credentials(path) for path in (student, *others)]
    assert all(each is not None and each.problems == [] for each in found)
    claims = found[0].claims  # type: ignore[union-attr]
    assert claims["reference"]["consent"] == "written"
    assert claims["models"]["student"] == folder_digest(workspace.model("student"))
    assert b"/trainedAlgorithmicMedia" in student.read_bytes()
    assert all(b"/compositeWithTrainedAlgorithmicMedia" in path.read_bytes() for path in others)


def test_tables_for_plots(evaluated: tuple[Workspace, StageReport]) -> None:
    clips = pd.read_csv(evaluated[0].plots / "clips.csv")
    assert len(clips) == 2 * len(evaluate.MODELS)
    frames = pd.read_csv(evaluated[0].plots / "frames.csv")
    assert list(frames["frame"]) == list(range(10))
    assert frames["teacher"].mean() == pytest.approx(clips.loc[clips["model"] == "teacher", "psnr"].mean(), rel=1e-4)
    shifts = pd.read_csv(evaluated[0].plots / "sync.csv")
    assert list(shifts["shift"]) == list(range(-15, 16))
    assert {"teacher", "student", "ground_truth"} <= set(shifts)


def test_two_runs_differ_in_speed_alone(
    evaluated: tuple[Workspace, StageReport], repository: Path, tmp_path: Path
) -> None:
    again = make_workspace(tmp_path)
    shutil.copytree(evaluated[0].store, again.store)  # what was signed once is not signed anew
    shutil.copytree(evaluated[0].signing, again.signing)
    evaluate.run(tiny_params(repository), context_of(again))
    first, second = (read_json(workspace.metrics) for workspace in (evaluated[0], again))
    assert first.pop("speed").keys() == second.pop("speed").keys()
    assert json.dumps(first) == json.dumps(second)
    for name in ("plots/clips.csv", "plots/sync.csv", "samples/ann-2.mp4", "stages/evaluate/report.json"):
        assert (evaluated[0].root / "reports" / name).read_bytes() == (again.root / "reports" / name).read_bytes(), name


def test_without_a_lip_sync_expert_there_is_a_reason(repository: Path, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    for path in workspace.model("sync").iterdir():
        path.unlink()
    workspace.model("sync").rmdir()
    evaluate.run(tiny_params(repository), context_of(workspace))
    student = read_json(workspace.metrics)["student"]
    assert student["sync_c"] is None
    assert "models/sync" in reasons_of(student)["sync_c"]
    assert student["sync_source"] is None


def test_nothing_held_out_is_an_error(repository: Path, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    table = Curated.load(workspace.curated).table
    Curated(table.assign(split=table["split"].replace("test", "train"))).save(workspace.curated)
    with pytest.raises(ValueError, match=r"curated.parquet: no kept clip is held out"):
        evaluate.run(tiny_params(repository), context_of(workspace))


def test_clips_of_seen_and_unseen_people_take_turns(evaluated: tuple[Workspace, StageReport]) -> None:
    curated = Curated.load(evaluated[0].curated)
    assert evaluate.choose_clips(curated, 2) == ["ann-2", "bob-1"]
    assert evaluate.choose_clips(curated, 1) == ["ann-2"]

"""The whole evaluation on tiny untrained models and short synthetic clips, with the real detector."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from cospeech.artifacts import Curated
from cospeech.harness.files import folder_digest, read_json
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import probe, read_frames
from cospeech.metrics.control import QUANTITIES
from cospeech.metrics.image import psnr
from cospeech.metrics.registry import GESTURES, MEASURES, SET_MEASURES, UNAVAILABLE, WEIGHTS
from cospeech.provenance.video import read_credentials
from stages import evaluate
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
        names = [measure.key for measure in (*MEASURES, *SET_MEASURES)] + list(UNAVAILABLE)
        missing = [name for name in names if table[name] is None]
        assert sorted(missing) == sorted({*reasons_of(table)} - {"identity_source"})
        absent = {*UNAVAILABLE, *WEIGHTS} - {"lpips"}
        assert absent <= set(missing)
        assert all("needs" in reasons_of(table)[name] for name in absent if model != "ground_truth")
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


def test_means_have_intervals_and_models_are_compared_clip_by_clip(evaluated: tuple[Workspace, StageReport]) -> None:
    metrics, clips = read_json(evaluated[0].metrics), pd.read_csv(evaluated[0].plots / "clips.csv")
    psnr = clips.pivot_table(index="clip", columns="model", values="psnr")
    for model in ("teacher", "student"):
        low, high = metrics[model]["interval"]["psnr"]
        assert psnr[model].min() - 1e-3 <= low < metrics[model]["psnr"] < high <= psnr[model].max() + 1e-3
    gain, difference = metrics["student_minus_teacher"], psnr["student"] - psnr["teacher"]
    assert gain["psnr"] == pytest.approx(difference.mean(), abs=1e-3)
    assert gain["interval"]["psnr"] == pytest.approx([difference.min(), difference.max()], abs=1e-3)  # of two clips
    assert gain["clips"] == 2


def test_control_is_told_by_quantity_and_model_and_by_clip(evaluated: tuple[Workspace, StageReport]) -> None:
    quality = read_json(evaluated[0].quality)
    models = {"codec", "teacher", "student", "still", "truth"}
    assert quality["control"].keys() == {each.key for each in QUANTITIES}
    assert len(quality["control_clips"]) == 2 * len(QUANTITIES)
    for row in quality["control_clips"]:
        assert models < row.keys()
        known = {row[model]["slope"] is not None for model in models}
        assert known == {row["reason"] is None}
    mouths = [row for row in quality["control_clips"] if row["quantity"] == "mouth_opening"]
    assert all(row["reason"] is None for row in mouths)
    for model in models:
        slopes = [row[model]["slope"] for row in mouths]
        assert quality["control"]["mouth_opening"][model] == {
            "slope": pytest.approx(np.mean(slopes)), "correlation": pytest.approx(
                np.mean([row[model]["correlation"] for row in mouths])), "clips": 2,
        }  # fmt: skip
    assert quality["control"]["mouth_opening"]["still"]["slope"] == pytest.approx(0, abs=0.05)
    assert quality["student"]["mouth_slope"] == quality["control"]["mouth_opening"]["student"]["slope"]


def test_regions_are_looked_at_apart(evaluated: tuple[Workspace, StageReport]) -> None:
    quality = read_json(evaluated[0].quality)
    for region in ("face", "mouth", "hands"):
        values = {model: quality[model][f"lpips_{region}"] for model in ("codec", "teacher", "copy_reference")}
        assert 0 < values["codec"] < values["teacher"]
        assert values["codec"] != quality["codec"]["lpips"]
    assert quality["codec"]["sharpness_hands"] < 1


def test_strips_show_every_clip(evaluated: tuple[Workspace, StageReport]) -> None:
    folder = evaluated[0].stage_report("evaluate")
    for name, side, beside in (("mouths", 120, 1), ("hands", 96, 2)):
        assert {path.stem for path in (folder / name).iterdir()} == {"ann-2", "bob-1"}
        with Image.open(folder / name / "ann-2.png") as picture:
            assert picture.size == (64 + 4 * beside * side, 4 * side)  # frames 0, 3, 6, 9 of 10


def test_motion_is_measured_on_whole_clips(evaluated: tuple[Workspace, StageReport]) -> None:
    motion = read_json(evaluated[0].metrics)["motion"]
    for kind in ("drawn", "retrieval", "mean_pose", "still", "ground_truth"):
        missing = [measure.key for measure in GESTURES if motion[kind][measure.key] is None]
        assert sorted(missing) == sorted(reasons_of(motion[kind]))
    assert motion["drawn"]["fgd"] > 0
    assert motion["still"]["diversity"] == pytest.approx(0, abs=1e-5)
    assert motion["ground_truth"]["diversity"] > 0
    for baseline in ("retrieval", "mean_pose", "still"):
        gain = motion["drawn_minus"][baseline]
        assert gain["lmd"] == pytest.approx(motion["drawn"]["lmd"] - motion[baseline]["lmd"])
        low, high = gain["interval"]["lmd"]
        assert low <= gain["lmd"] <= high


def test_speed_is_split_for_both_models(evaluated: tuple[Workspace, StageReport]) -> None:
    speed = read_json(evaluated[0].metrics)["speed"]
    assert speed["ratio"] == pytest.approx(speed["student_fps"] / speed["teacher_fps"])
    for name in ("teacher", "student"):
        phases = ("motion", "pose", "denoise", "decode", "encode")
        assert all(0 < speed[name][f"{phase}_ms"] <= speed[name][f"{phase}_p95_ms"] for phase in phases)
        assert speed[name]["median_ms"] == pytest.approx(1000 / speed[f"{name}_fps"])
        assert speed[name]["voice_to_file_fps"] < speed[f"{name}_fps"]
    assert speed["teacher"]["motion_ms"] == speed["student"]["motion_ms"]
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
    assert first == read_json(again.quality)  # what the export depends on knows nothing of speed
    names = ("quality.json", "plots/clips.csv", "plots/sync.csv", "plots/offsets.csv", "samples/ann-2.mp4")
    for name in (*names, "stages/evaluate/report.json"):
        assert (evaluated[0].root / "reports" / name).read_bytes() == (again.root / "reports" / name).read_bytes(), name


@pytest.fixture(scope="module")
def otherwise(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Metrics without the project's experts, with AlexNet and I3D: random weights in the official formats, numbers
    without meaning, found like any."""
    from torchvision.models import alexnet

    from cospeech.metric_networks.i3d import I3DNet

    folder = tmp_path_factory.mktemp("otherwise")
    torch.manual_seed(0)
    features = {f"features.{name}": each for name, each in alexnet(weights=None).features.state_dict().items()}
    save_file(features, folder / "alexnet.safetensors")
    torch.save(I3DNet().state_dict(), folder / "i3d.pt")
    params, workspace = tiny_params(repository), make_workspace(folder / "run")
    for name in ("sync", "motion"):
        shutil.rmtree(workspace.model(name))
    given = {"lpips": folder / "alexnet.safetensors", "fvd": folder / "i3d.pt"}
    weights = params.evaluate.weights.model_copy(update=given)
    evaluation = params.evaluate.model_copy(update={"weights": weights})
    evaluate.run(params.model_copy(update={"evaluate": evaluation}), context_of(workspace))
    return dict(read_json(workspace.metrics))


def test_without_experts_there_are_reasons(otherwise: dict[str, Any]) -> None:
    metrics, student = otherwise, otherwise["student"]
    assert student["sync_c"] is None
    assert "models/sync" in reasons_of(student)["sync_c"]
    assert student["sync_source"] is None
    assert metrics["footage_offsets"]["stretches"] == 0
    assert "drawn" not in metrics["motion"]
    assert metrics["speed"]["student"]["motion_ms"] is None


def test_official_weights_fill_what_was_null(otherwise: dict[str, Any]) -> None:
    metrics = otherwise
    assert metrics["codec"]["lpips"] < metrics["teacher"]["lpips"]
    assert metrics["teacher"]["fvd"] > 0
    assert metrics["ground_truth"]["fvd"] is None
    reasons = set(reasons_of(metrics["teacher"]))
    assert {"fid", "identity"} <= reasons
    assert not {"lpips", "fvd"} & reasons
    assert set(metrics["protocol"]["weights"]) == {"lpips", "fvd"}


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

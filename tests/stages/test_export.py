"""The export runs by itself, and draws what the student draws here."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import load_clip
from cospeech.export.closure import import_closure
from cospeech.footage.consent import Revocation, save_revocations
from cospeech.harness.files import file_digest, read_json, write_json
from cospeech.harness.workspace import Workspace
from cospeech.inference.bundle import Models
from cospeech.inference.conditioning import Scene
from cospeech.inference.speaker import load
from cospeech.media import read_frames, read_speech
from cospeech.models.warping.deformer import Deformer
from cospeech.pose.track_file import load_track
from cospeech.provenance.bundle import check_bundle
from cospeech.provenance.lineage import retirement_lines
from cospeech.sampling.euler import first_noise
from cospeech.sampling.generation import decode
from cospeech.sampling.kv_stream import sample_stream
from stages import evaluate, export
from tests.cospeech.inference.small import somebody
from tests.stages.tiny_run import context_of, make_workspace, tiny_params

# arguments: export, what to draw, where to, least deviation of a talk's pixels, modules that must not be needed
ALONE = """
import sys
import numpy as np
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
sys.modules.update(dict.fromkeys(sys.argv[5:]))
from cospeech_runtime import Person, load
given = np.load(sys.argv[2])
speaker = load(sys.argv[1])
frames = speaker.animate(given["reference"], given["keypoints"], given["confidence"], seed=3)
with speaker.start(Person(given["reference"], given["keypoints"][0], given["confidence"][0])) as session:
    talk = np.concatenate([session.push(given["speech"]), session.finish()])
assert talk.shape == (25, 64, 64, 3) and talk.std() > float(sys.argv[4])
ours = ("cospeech", "stages", "flows")
assert not [name for name, module in sys.modules.items() if module and name.split(".")[0] in ours]
np.save(sys.argv[3], frames)
"""


@pytest.fixture(scope="module")
def exported(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = make_workspace(tmp_path_factory.mktemp("export"))
    params = tiny_params(repository)
    evaluate.run(params, context_of(workspace))
    export.run(params, context_of(workspace))
    return workspace


def draw_alone(export: Path, folder: Path, *arguments: str, **given: np.ndarray) -> np.ndarray:
    """Frames by ALONE, in another folder and a Python that does not see the repository (-I: no PYTHONPATH, no working
    folder)."""
    np.savez(folder / "given.npz", **given)
    blocked = "import sys; sys.modules['cospeech'] = sys.modules['stages'] = sys.modules['flows'] = None\n"
    paths = [str(path) for path in (export, folder / "given.npz", folder / "frames.npy")]
    ran = subprocess.run(
        [sys.executable, "-IB", "-c", blocked + ALONE, *paths, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return np.load(folder / "frames.npy")


def assert_alike(frames: np.ndarray, expected: np.ndarray, mean: float) -> None:
    """But for latents on disk, which are rounded to float16, where the runtime's are not."""
    difference = np.abs(frames.astype(int) - expected)
    assert frames.shape == expected.shape
    assert difference.mean() < mean
    assert difference.max() <= 3


def test_it_runs_alone_and_draws_what_the_student_draws(exported: Workspace, repository: Path, tmp_path: Path) -> None:
    clip = load_clip(exported, "bob-1", "bob", CellWeights(0, 0, 0))
    keypoints = clip.track.keypoints
    reference = read_frames(exported.video("bob-1"))[0]
    speech, _ = read_speech(exported.speech("bob-1"))
    given = {
        "reference": reference,
        "keypoints": keypoints,
        "confidence": clip.track.confidence,
        "speech": speech[:16000],
    }
    frames = draw_alone(exported.model("export"), tmp_path, "5", **given)

    params = tiny_params(repository)
    student = evaluate.load_samplers(params, exported)["student"]
    generator = torch.Generator().manual_seed(3)
    noise = torch.stack([first_noise((1, 4, 8, 8), student.config.temperature, generator) for _ in range(len(clip))], 2)
    condition = clip.coded_by(student.codec).condition(slice(0, len(clip)), 0)
    latents = sample_stream(student.stream, noise, condition, clip.track, student.config)
    expected = decode(student.codec, latents[0])
    assert frames.shape == (40, 64, 64, 3)
    assert_alike(frames, expected, mean=0.1)
    assert expected.std() > 5


def test_nothing_of_the_training_goes_along(exported: Workspace) -> None:
    runtime = exported.model("export") / export.RUNTIME
    files = {path.relative_to(runtime).as_posix() for path in runtime.rglob("*.py")}
    assert {"__init__.py", "inference/speaker.py", "sampling/euler.py", "attention/plan.py"} <= files
    assert {"models/transformers/denoiser.py", "motion/model.py", "audio/mel.py", "inference/session.py"} <= files
    assert not [name for name in files if name.startswith(("training/", "datasets/", "harness/", "models/perception/"))]
    needs = read_json(exported.stage_report("export") / "report.json")["figures"]["needs"]
    assert set(needs.split(", ")) <= {"cv2", "diffusers", "numpy", "safetensors", "scipy", "torch", "torchaudio"}


def test_card_and_provenance(exported: Workspace) -> None:
    folder = exported.model("export")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith('---\nlicense: "CC0-1.0"\n')
    assert "| CC0-1.0 | written | 1 |" in card
    assert f"| PSNR, dB | {read_json(exported.quality)['student']['psnr']:.2f} |" in card
    record = read_json(folder / "provenance.json")
    assert [clip["clip"] for clip in record["training_clips"]] == ["ann-1"]
    assert {"student", "codec", "deformer", "pose_encoder", "motion"} <= {
        name.split("/")[0] for name in record["files"]
    }
    for name, digest in record["files"].items():
        assert file_digest(folder / name) == digest


def test_the_signature_vouches_for_every_file(exported: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "given away"
    shutil.copytree(exported.model("export"), folder)
    checked = check_bundle(folder)
    assert checked.problems == []
    assert checked.signer is not None
    assert checked.signer.name == "cospeech project, signing"
    (folder / "student/config.json").write_text("{}")
    (folder / "more.py").touch()
    problems = {problem.split(":")[0] for problem in check_bundle(folder).problems}
    assert problems == {"student/config.json", "more.py"}
    record = read_json(folder / "provenance.json")
    write_json(folder / "provenance.json", {**record, "licence": "anything goes"})
    assert check_bundle(folder).problems[0].startswith("provenance.json: changed")
    (folder / "provenance.sig.json").unlink()
    assert check_bundle(folder).problems[0].startswith("provenance.sig.json: missing")


def test_an_export_that_learned_from_a_revoked_clip_is_to_be_retired(exported: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    shutil.copytree(exported.exports, workspace.exports)
    assert retirement_lines(workspace) == []
    save_revocations(workspace.revoked, [Revocation("ann-2", "clips/ann-2.mp4", "1" * 64, "2026-01-02", "")])
    assert retirement_lines(workspace) == []  # held out: nothing learned from it
    save_revocations(workspace.revoked, [Revocation("renamed", "x.mp4", "0" * 64, "2026-01-02", "")])
    [line] = retirement_lines(workspace)
    assert "ann-1" in line


def digests(folder: Path) -> dict[Path, str]:
    """Of all files but what Python compiles when they run."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder): file_digest(path) for path in files}


def test_two_exports_have_the_same_bytes(exported: Workspace, repository: Path) -> None:
    folder = exported.model("export")
    before = digests(folder)
    export.run(tiny_params(repository), context_of(exported))
    assert before == digests(folder)


def test_points_that_the_footage_did_not_show_are_named(exported: Workspace) -> None:
    assert read_json(exported.model("export") / "sampling.json")["unseen"] == []
    poses = load_track(exported.poses("ann-1"))
    confidence = poses.confidence.copy()
    confidence[:, 11] = 0
    confidence[1:, 12] = 0.2
    hidden = replace(poses, confidence=confidence)
    assert export.rarely_seen([hidden]) == [11]  # the other in one of 40 frames
    assert export.rarely_seen([hidden, hidden, poses]) == []


def test_the_pose_that_is_most_like_all_is_the_rest(exported: Workspace) -> None:
    poses = load_track(exported.poses("ann-1"))
    far, size = poses.keypoints.copy(), poses.size[0]
    far[:, 91:133] += 30
    others = [replace(poses, keypoints=points) for points in (far, poses.keypoints + 5)]
    np.testing.assert_array_equal(export.most_typical([*others, poses], size), others[1].keypoints[0])
    np.testing.assert_array_equal(export.most_typical([poses], 2 * size), poses.keypoints[0] * 2)


def test_a_wrong_picture_is_named(exported: Workspace) -> None:
    speaker = load(exported.model("export"))
    points, seen = np.zeros((3, 133, 2), np.float32), np.ones((3, 133), np.float32)
    with pytest.raises(ValueError, match=r"square RGB picture.*\(64, 80, 3\)"):
        speaker.animate(np.zeros((64, 80, 3), np.uint8), points, seen)
    with pytest.raises(ValueError, match=r"\(3, 133, 2\) and \(2, 133\)"):
        speaker.animate(np.zeros((64, 64, 3), np.uint8), points, seen[:2])
    with pytest.raises(ValueError, match="not a complete export: student, codec"):
        load(exported.root / "data")


def test_without_metrics_there_is_no_export(repository: Path, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    with pytest.raises(ValueError, match=r"quality.json: no such file.*run evaluate first"):
        export.run(tiny_params(repository), context_of(workspace))


def test_closure_follows_relative_imports_and_refuses_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    toy = tmp_path / "toy_export"
    (toy / "deep/er").mkdir(parents=True)
    for package in ("", "deep", "deep/er"):
        (toy / package / "__init__.py").write_text('"""A package."""\n')
    (toy / "a.py").write_text("import json\nimport numpy as np\nfrom .deep import b\n")
    (toy / "deep/b.py").write_text("from ..c import thing\nfrom .er.d import other\n")
    (toy / "deep/er/d.py").write_text("from torch import nn\n")
    (toy / "c.py").write_text("thing = 1\n")
    (toy / "unused.py").write_text("")
    closure = import_closure(toy, "a")
    assert [path.as_posix() for path in closure.files] == [
        "a.py",
        "c.py",
        "deep/__init__.py",
        "deep/b.py",
        "deep/er/__init__.py",
        "deep/er/d.py",
    ]
    assert closure.packages == ("numpy", "torch")
    (toy / "c.py").write_text("thing = 1\nfrom cospeech.harness.files import read_json\n")
    with pytest.raises(ValueError, match=r"c.py, line 2.*absolute"):
        import_closure(toy, "a")


def test_one_that_does_not_say_its_temperature_draws_at_one(exported: Workspace, tmp_path: Path) -> None:
    folder = shutil.copytree(exported.model("export"), tmp_path / "export")
    settings = read_json(folder / "sampling.json")
    assert settings.pop("temperature") == 0.6
    write_json(folder / "sampling.json", settings)
    assert load(folder).settings.temperature == 1


def test_one_from_before_there_was_a_deformer_draws_without(exported: Workspace, tmp_path: Path) -> None:
    folder = shutil.copytree(exported.model("export"), tmp_path / "export")
    shutil.rmtree(folder / "deformer")
    older, newer = load(folder).models, load(exported.model("export")).models
    assert isinstance(older, Models)
    assert isinstance(newer, Models)
    assert older.deformer is None
    deformer = Deformer.from_pretrained(exported.model("deformer"))
    assert newer.deformer is not None
    assert torch.equal(newer.deformer.last.weight, deformer.last.weight)
    person, moved = somebody(0, older.settings.size), somebody(1, older.settings.size)
    drawn = [Scene(each, person).condition(moved.pose) for each in (older, newer)]
    assert not torch.equal(*(each.warped_BCThw for each in drawn))

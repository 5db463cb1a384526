"""The export of Wan's student runs by itself, and draws what the student draws here."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cospeech.cli import main
from cospeech.config import Params
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import Window
from cospeech.families.factory import pick_family
from cospeech.harness.files import read_json
from cospeech.harness.workspace import Workspace
from cospeech.inference.speaker import load
from cospeech.media import iter_frames, read_frames, save_png, write_speech, write_video
from cospeech.models.transformers.wan import load_student, load_teacher
from cospeech.provenance.bundle import check_bundle
from cospeech.provenance.video import read_credentials
from cospeech.sampling import generation
from cospeech.sampling.euler import first_noise
from cospeech.utils.latent_frames import latent_groups
from flows.retraining.evaluate_production import candidate_rows, production_rows
from stages import encode_latents, evaluate, export, train_codec
from tests.cospeech.inference.small import RATE, somebody, speech
from tests.stages import tiny_run
from tests.stages.test_export import assert_alike, digests, draw_alone
from tests.stages.wan.tiny_wan import save_pipelines, wan_params


@pytest.fixture(scope="module")
def params(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Params:
    return wan_params(repository, save_pipelines(tmp_path_factory.mktemp("pipelines")))


@pytest.fixture(scope="module")
def exported(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return exported_in(tmp_path_factory.mktemp("project"), params)


def exported_in(folder: Path, params: Params) -> Workspace:
    """A student whose first layer already reads pose and reference, measured and exported."""
    assert params.wan is not None
    workspace = tiny_run.make_workspace(folder)
    for name in ("codec", "teacher", "student"):
        shutil.rmtree(workspace.model(name))
    student = load_student(params.wan.student)
    generator = torch.Generator().manual_seed(0)
    weight = student.transformer.patch_embedding.weight
    weight.data = torch.randn(weight.shape, generator=generator) * 0.3
    student.save_pretrained(workspace.model("student"))
    load_teacher(params.wan.teacher, 1.0).save_pretrained(workspace.model("teacher"))
    for stage in (train_codec, encode_latents, evaluate, export):
        stage.run(params, tiny_run.context_of(workspace))
    return workspace


def test_it_runs_alone_and_draws_what_the_student_draws(params: Params, exported: Workspace, tmp_path: Path) -> None:
    """37 frames, ten latent ones, in windows of three; in a Python without the repository and without peft."""
    assert params.wan is not None
    clip = pick_family(params.wan.model_dump()).clip(exported, "bob-1", "bob", CellWeights(0, 0, 0))
    given = {
        "reference": read_frames(exported.video("bob-1"))[0],
        "keypoints": clip.track.keypoints[:37],
        "confidence": clip.track.confidence[:37],
        "speech": speech(1.0),
    }
    frames = draw_alone(exported.model("export"), tmp_path, "1", "peft", **given)
    stretch, student = Window(clip, 0, 37, 0), evaluate.load_samplers(params, exported)["student"]
    generator = torch.Generator().manual_seed(3)
    drawn = [first_noise((1, 16, 8, 8), student.config.temperature, generator) for _ in latent_groups(37, 4)]
    noise = torch.stack(drawn, 2)
    with torch.no_grad():
        latents = generation._sample(student, stretch, noise, stretch.condition)
    expected = generation.decode(student.codec, latents[0])
    assert frames.shape == (37, 64, 64, 3)
    assert_alike(frames, expected, mean=0.2)
    assert expected.std() > 1


def test_frames_that_do_not_fill_a_latent_frame_are_drawn_too(exported: Workspace) -> None:
    speaker, person = load(exported.model("export")), somebody()
    track = person.moving(person.keypoints + np.linspace(0, 6, 30)[:, None, None].astype(np.float32))

    def drawn(count: int, by: int) -> np.ndarray:
        with speaker.follow(person, seed=1) as animation:
            parts = []
            for start in range(0, count, by):
                animation.push(track[start : min(start + by, count)])
                parts.append(animation.take())
            return np.concatenate([*parts, animation.finish()])

    for count in (0, 1, 3, 9, 28, 30):
        assert len(drawn(count, 1)) == count
    np.testing.assert_array_equal(drawn(30, 1), drawn(30, 7))
    moved = drawn(30, 30).astype(int)
    assert np.abs(moved[1:] - moved[:-1]).max() > 0
    track.keypoints[:] += 8
    assert (drawn(30, 30) != moved).any(), "the pose matters"
    with pytest.raises(ValueError, match="not in chunks"):
        speaker.follow(person, chunk=4)


def test_what_is_in_it(exported: Workspace) -> None:
    folder = exported.model("export")
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "codec", "cospeech_runtime", "motion", "prompts.safetensors", "provenance.json",
        "provenance.sig.json", "sampling.json", "student",
    }  # fmt: skip
    assert read_json(folder / "student/config.json")["_class_name"] == "WanTransformer3DModel"
    assert check_bundle(folder).problems == []
    assert "prompts.safetensors" in read_json(folder / "provenance.json")["files"]
    needs = read_json(exported.stage_report("export") / "report.json")["figures"]["needs"]
    assert set(needs.split(", ")) <= {"cv2", "diffusers", "numpy", "safetensors", "scipy", "torch", "torchaudio"}


def test_two_exports_have_the_same_bytes(params: Params, exported: Workspace) -> None:
    before = digests(exported.model("export"))
    export.run(params, tiny_run.context_of(exported))
    assert digests(exported.model("export")) == before


def test_generate_draws_through_it(exported: Workspace, repository: Path, tmp_path: Path) -> None:
    clip = sorted((repository / "data/demo/clips").glob("*.mp4"))[0]
    save_png(tmp_path / "person.png", next(iter_frames(clip)))
    write_speech(tmp_path / "speech.wav", speech(0.9), RATE)
    write_video(tmp_path / "clip.mp4", [frame for frame, _ in zip(iter_frames(clip), range(18), strict=False)], 25)
    given = [
        "generate", "--audio", str(tmp_path / "speech.wav"), "--image", str(tmp_path / "person.png"),
        "--model", str(exported.model("export")), "--root", str(tmp_path),
    ]  # fmt: skip
    assert main([*given, "--out", str(tmp_path / "talk.mp4")]) == 0
    assert read_frames(tmp_path / "talk.mp4").shape == (23, 64, 64, 3)
    assert main([*given, "--pose", str(tmp_path / "clip.mp4"), "--out", str(tmp_path / "driven.mp4")]) == 0
    driven = read_frames(tmp_path / "driven.mp4")
    assert driven.shape == (18, 64, 64, 3)
    assert driven.std() > 1
    credentials = read_credentials(tmp_path / "driven.mp4")
    assert credentials is not None
    assert set(credentials.claims["models"]) == {"student", "codec", "motion"}


def test_in_production_it_is_measured_as_the_candidate_was(
    params: Params, exported: Workspace, repository: Path
) -> None:
    context = tiny_run.context_of(exported)
    assert production_rows(exported.model("export"), params, context) == candidate_rows(exported)
    with pytest.raises(ValueError, match=r"has no pose_encoder, so it is not of the family .* \(section wan\)"):
        production_rows(exported.model("export"), tiny_run.tiny_params(repository), context)


def test_a_damaged_one_is_named(exported: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    shutil.copytree(exported.model("export"), folder)
    (folder / "student/diffusion_pytorch_model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ValueError, match=r"student: not a Wan transformer of this version of cospeech, or damaged"):
        load(folder)
    shutil.rmtree(folder / "student")
    with pytest.raises(ValueError, match="not a complete export: student missing"):
        load(folder)

"""`cospeech generate`, on tiny networks and a real picture: what it writes, and what it refuses."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from cospeech.cli import main
from cospeech.inference.speaker import Speaker, load
from cospeech.media import iter_frames, read_frames, save_png, write_speech, write_video
from cospeech.provenance.video import read_credentials
from tests.cospeech.inference.small import RATE, SIZE, models, speech

PARTS = ("student", "codec", "deformer", "pose_encoder", "motion")


@pytest.fixture(scope="module")
def given(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an export, a picture, a voice and a clip."""
    folder = tmp_path_factory.mktemp("given")
    made = models()
    for name in PARTS:
        model = getattr(made, name)
        assert model is not None
        model.save_pretrained(folder / "export" / name)
    (folder / "export/sampling.json").write_text(json.dumps(asdict(made.settings)))
    clip = sorted((repository / "data/demo/clips").glob("*.mp4"))[0]
    save_png(folder / "person.png", next(iter_frames(clip)))
    write_speech(folder / "speech.wav", speech(1.3), RATE)
    frames = [frame for frame, _ in zip(iter_frames(clip), range(20), strict=False)]
    write_video(folder / "clip.mp4", frames, 25)
    return folder


def generate(given: Path, out: Path, **options: str | Path) -> int:
    named = {"audio": given / "speech.wav", "image": given / "person.png", "model": given / "export", **options}
    arguments = [text for name, value in named.items() for text in (f"--{name}", str(value))]
    return main(["generate", *arguments, "--out", str(out), "--root", str(given)])


def sound_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        frames = [*container.decode(audio=0), None]
        return np.concatenate([part.to_ndarray()[0] for frame in frames for part in resampler.resample(frame)])


def test_a_voice_and_a_picture_become_a_video(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "talk.mp4"
    assert generate(given, out) == 0
    assert f"{out}: 33 frames" in capsys.readouterr().out
    frames, sound, said = read_frames(out), sound_of(out), speech(1.3)
    assert frames.shape == (33, SIZE, SIZE, 3)
    assert np.abs(np.diff(frames.astype(int), axis=0)).max() > 10
    loud, quiet = (np.convolve(np.abs(x[: len(said)]), np.ones(400), "valid") for x in (said, sound))
    shifts = range(-200, 201, 20)
    fit = [np.corrcoef(loud[400:-400], quiet[400 + s : len(quiet) - 400 + s][: len(loud) - 800])[0, 1] for s in shifts]
    assert abs(shifts[int(np.argmax(fit))]) <= 20  # in step within a millisecond or so
    credentials = read_credentials(out)
    assert credentials is not None
    assert credentials.problems == []
    assert credentials.claims["reference"]["clip"] == "person.png"
    assert set(credentials.claims["models"]) == set(PARTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["talk.mp4"]
    assert generate(given, tmp_path / "again.mp4") == 0
    np.testing.assert_array_equal(read_frames(tmp_path / "again.mp4"), frames)
    assert generate(given, tmp_path / "other.mp4", seed="1") == 0
    assert (read_frames(tmp_path / "other.mp4") != frames).any()


def test_the_wheel_needs_nothing_else_to_draw_and_to_verify(given: Path, repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.helpers.base_only"]
    out = tmp_path / "talk.mp4"
    named = ["--audio", given / "speech.wav", "--image", given / "person.png", "--model", given / "export"]
    drawn = [*command, "generate", *named, "--out", out, "--root", given]
    subprocess.run(drawn, cwd=repository, capture_output=True, text=True, check=True)
    subprocess.run([*command, "verify", out], cwd=repository, capture_output=True, text=True, check=True)


def test_a_clip_drives_and_the_shorter_one_ends_it(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(given, tmp_path / "driven.mp4", pose=given / "clip.mp4") == 0
    assert "lasts 0.80 s" in capsys.readouterr().err
    assert len(read_frames(tmp_path / "driven.mp4")) == 20
    assert abs(len(sound_of(tmp_path / "driven.mp4")) - 0.8 * RATE) < 1100  # whole AAC frames


def nobody(folder: Path) -> Path:
    save_png(folder / "wall.png", np.full((300, 300, 3), 128, np.uint8))
    write_video(folder / "wall.mp4", np.full((8, 64, 64, 3), 128, np.uint8), 25)
    return folder


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "{tmp}/wall.png"}, "no face is found"),
        ({"image": "{tmp}/absent.png"}, "no such file"),
        ({"audio": "{tmp}/wall.mp4"}, "no sound in it"),
        ({"audio": "{tmp}/absent.wav"}, "no such file"),
        ({"pose": "{tmp}/wall.mp4"}, "is seen in 0% of 8 frames"),
        ({"pose": "{given}/speech.wav"}, "no video stream"),
        ({"model": "{tmp}"}, "not a complete export: student, codec"),
        ({"model": "{tmp}/absent"}, "not a complete export"),
    ],
)
def test_what_cannot_be_used_ends_with_2_and_leaves_nothing(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: dict[str, str], message: str
) -> None:
    nobody(tmp_path)
    filled = {name: value.format(tmp=tmp_path, given=given) for name, value in options.items()}
    (tmp_path / "out").mkdir()
    assert generate(given, tmp_path / "out/talk.mp4", **filled) == 2
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_out_must_be_an_mp4_in_a_folder_that_is_there(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(given, tmp_path / "absent/talk.mp4") == 2
    assert "there is no folder" in capsys.readouterr().err
    assert generate(given, tmp_path / "talk.avi") == 2
    assert "must end with .mp4" in capsys.readouterr().err


def test_weights_of_another_kind_are_named(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    shutil.copytree(given / "export", other)
    (other / "motion/diffusion_pytorch_model.safetensors").write_bytes(b"not weights at all")
    assert generate(given, tmp_path / "talk.mp4", model=other) == 2
    assert f"{other}/motion: not a MotionModel of this version" in capsys.readouterr().err
    shutil.copytree(given / "export/student", other / "codec", dirs_exist_ok=True)
    assert generate(given, tmp_path / "talk.mp4", model=other) == 2
    assert f"{other}/codec: not a Codec of this version" in capsys.readouterr().err
    (other / "sampling.json").write_text('{"steps": 2}')
    assert generate(given, tmp_path / "talk.mp4", model=other) == 2
    assert "export the model anew" in capsys.readouterr().err


def test_an_export_without_motion_says_so(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mute = tmp_path / "mute"
    mute.mkdir()
    for path in (given / "export").iterdir():
        if path.name != "motion":
            (mute / path.name).symlink_to(path)
    assert generate(given, tmp_path / "talk.mp4", model=mute) == 2
    assert "has no motion model" in capsys.readouterr().err


def test_the_model_draws_on_the_device_that_is_asked_for(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def watched(folder: Path, device: torch.device) -> Speaker:
        asked.append(device.type)
        return load(folder, "cpu")

    monkeypatch.setattr("cospeech.inference.generate.load", watched)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert generate(given, tmp_path / "a.mp4", device="cpu") == 0
    assert generate(given, tmp_path / "b.mp4") == 0
    assert asked == ["cpu", "cuda"]


def test_a_gpu_that_is_not_there_is_not_replaced(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert generate(given, tmp_path / "talk.mp4", device="cuda") == 1
    assert "cuda" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

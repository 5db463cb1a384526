from pathlib import Path

import numpy as np
import pytest
import torch

from cospeech.audio.mfcc import mfcc
from cospeech.metric_networks.lipsync import Sound, load_judge
from cospeech.metric_networks.syncnet import SIDE, SyncNet, SyncNetNet, face_crops
from cospeech.models.perception.sync import SyncExpert
from cospeech.pose import skeleton as sk
from tests.helpers.keypoints import person

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the format of the official file."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "syncnet_v2.model"
    torch.save(SyncNetNet().state_dict(), path)
    return path


def test_names_and_shapes_are_the_official_ones(official: Path) -> None:
    state = torch.load(official, weights_only=True)
    shapes = {name: tuple(each.shape) for name, each in state.items()}
    expected = {
        "netcnnaud.0.weight": (64, 1, 3, 3), "netcnnaud.4.weight": (192, 64, 3, 3), "netcnnaud.8.bias": (384,),
        "netcnnaud.11.weight": (256, 384, 3, 3), "netcnnaud.15.running_var": (256,),
        "netcnnaud.18.weight": (512, 256, 5, 4), "netcnnlip.0.weight": (96, 3, 5, 7, 7),
        "netcnnlip.4.weight": (256, 96, 1, 5, 5), "netcnnlip.14.weight": (256, 256, 1, 3, 3),
        "netcnnlip.18.weight": (512, 256, 1, 6, 6), "netfcaud.3.weight": (1024, 512), "netfclip.1.running_mean": (512,),
    }  # fmt: skip
    assert {name: shapes[name] for name in expected} == expected


def test_windows_are_embedded_as_if_alone(official: Path) -> None:
    net = SyncNet(official, CPU)
    keypoints = person(9).keypoints
    frames = np.random.default_rng(0).integers(0, 256, (9, 256, 256, 3), dtype=np.uint8)
    sound = np.random.default_rng(1).normal(0, 0.1, 9 * 640).astype(np.float32)
    lips, speech = net.lips(frames, keypoints), net.speech(sound, 9)
    assert lips.shape == speech.shape == (5, 1024)
    bgr = torch.from_numpy(face_crops(frames, keypoints)[2:7, ..., ::-1].copy()).float().permute(3, 0, 1, 2)
    with torch.no_grad():
        np.testing.assert_allclose(lips[2], net._net.lips(bgr[None])[0], rtol=1e-3, atol=1e-4)
        part = torch.from_numpy(mfcc(sound, 16000)[8:28].T.copy()).float()
        np.testing.assert_allclose(speech[2], net._net.speech(part[None])[0], rtol=1e-3, atol=1e-4)


def test_the_face_is_in_the_middle_with_room_below() -> None:
    keypoints = person(3).keypoints
    rng = np.random.default_rng(2)
    keypoints[:, sk.FACE] = rng.uniform((100, 80), (160, 150), (1, 68, 2))
    keypoints[:, 23], keypoints[:, 24] = (100, 80), (160, 150)  # corners of the box of the points
    frames = np.zeros((3, 256, 256, 3), np.uint8)
    frames[:, 148:152, 128:132] = 255  # the chin
    bright = face_crops(frames, keypoints)[1, ..., 0].astype(float)
    rows, columns = np.indices(bright.shape)
    column, row = ((axis * bright).sum() / bright.sum() for axis in (columns, rows))
    assert column == pytest.approx(SIDE / 2, abs=3)
    assert row == pytest.approx(SIDE * 2 / 2.8, abs=3)  # box of height 2 in a square of 2.8, from its top


def test_mfcc_by_the_formula() -> None:
    """One frame by loops; a tone is loudest in the band that holds it; silence is finite."""
    rate, time = 16000, np.arange(16000) / 16000
    tone = (0.3 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
    found = mfcc(tone, rate)
    assert found.shape == (99, 13)
    raw = np.round(tone.astype(float) * 32768)
    raw = np.append(raw[0], raw[1:] - 0.97 * raw[:-1])[1600:2000]
    power = [abs(sum(raw * np.exp(-2j * np.pi * k * np.arange(400) / 512))) ** 2 / 512 for k in range(257)]
    assert found[10, 0] == pytest.approx(np.log(sum(power)), rel=1e-6)
    edges = [
        int(513 * 700 * (10 ** (m / 2595) - 1) / rate) for m in np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 28)
    ]
    bands = []
    for a, b, c in zip(edges, edges[1:], edges[2:], strict=False):
        up = sum(power[k] * (k - a) / (b - a) for k in range(a, b))
        bands.append(up + sum(power[k] * (c - k) / (c - b) for k in range(b, c)))
    second = np.sqrt(2 / 26) * sum(np.log(e) * np.cos(np.pi * 2 * (n + 0.5) / 26) for n, e in enumerate(bands))
    assert found[10, 2] == pytest.approx(second * (1 + 11 * np.sin(np.pi * 2 / 22)), rel=1e-6)
    assert np.isfinite(mfcc(np.zeros(8000, np.float32), rate)).all()


def test_a_folder_is_an_expert_and_a_file_is_syncnet(official: Path, tmp_path: Path) -> None:
    SyncExpert(width=8, embedding=8).save_pretrained(tmp_path / "sync")
    sound = Sound(np.zeros((12, 4, 80), np.float32), np.zeros(12 * 640, np.float32), 16000)
    for path, dimensions, said in ((tmp_path / "sync", 8, "not the published"), (official, 1024, "SHA-256")):
        judge = load_judge(path, CPU, 25, 16000, "key")
        assert judge.speech(sound).shape == (8, dimensions)
        assert said in judge.source
    with pytest.raises(ValueError, match="25 fps and 16000 Hz, but media has 30 fps"):
        load_judge(official, CPU, 30, 16000, "key")
    with pytest.raises(ValueError, match=r"key: .*absent: no such file"):
        load_judge(tmp_path / "absent", CPU, 25, 16000, "key")

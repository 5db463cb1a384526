from pathlib import Path

import pytest
import torch

from cospeech.harness.files import read_json, write_json
from cospeech.motion.model import MotionModel
from cospeech.motion.representation import POSTURE, SPEECH


def lively_model(lookahead: int = 4, chunk: int = 2) -> MotionModel:
    """Small, with weights that make every input matter."""
    torch.manual_seed(0)
    model = MotionModel(8, 16, lookahead, chunk, pose_components=5, chunk_components=6)
    poses, lips, chunks = torch.randn(60, POSTURE), torch.randn(60, SPEECH), torch.randn(60, chunk, POSTURE) / 5
    model.fit_statistics(torch.randn(200, 80), poses, lips, chunks, torch.rand(POSTURE) + 0.5)
    for layer in (model.lips_out, model.lips_at_rest, model.flow.clean_out):
        torch.nn.init.normal_(layer.weight, std=0.02)
    for block in model.flow.blocks:
        torch.nn.init.normal_(block.modulation.weight, std=0.1)
    return model.eval()


@pytest.fixture
def model() -> MotionModel:
    return lively_model()


def test_components_are_orthonormal_and_whiten(model: MotionModel) -> None:
    for basis in (model.pose_basis, model.chunk_basis, model.lip_basis):
        torch.testing.assert_close(basis @ basis.T, torch.eye(len(basis)), atol=1e-5, rtol=0)
    chunk = torch.randn(3, 6)
    torch.testing.assert_close(model.encode_chunk(model.decode_chunk(chunk)), chunk, atol=1e-4, rtol=1e-4)


def test_what_is_visible_of_a_displacement_is_all_that_is_seen_of_it(model: MotionModel) -> None:
    posture, moved = torch.randn(3, POSTURE), torch.randn(3, POSTURE)
    visible = model.visible(moved)
    assert (moved - visible).abs().mean() > 0.1
    torch.testing.assert_close(model.look(posture + visible), model.look(posture + moved), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.visible(visible), visible, atol=1e-5, rtol=1e-5)


def test_a_frame_hears_its_span(model: MotionModel) -> None:
    voice = torch.randn(1, model.span + 6, 4, 80)
    heard = model.hear(voice)
    assert heard.shape == (1, 7, 8)
    torch.testing.assert_close(model.hear(voice[:, 3 : 3 + model.span])[0, 0], heard[0, 3], atol=1e-5, rtol=1e-5)


def test_lips_start_from_the_reference_and_follow_the_voice(model: MotionModel) -> None:
    heard, rest = model.hear(torch.randn(2, model.span + 3, 4, 80)), torch.randn(2, SPEECH)
    lips = model.speak(heard, rest)
    assert lips.shape == (2, 4, SPEECH)
    assert (lips - model.speak(heard, rest + 1)).std() > 0
    assert lips.diff(dim=1).abs().max() > 1e-3


def test_memory_goes_on_where_it_stopped(model: MotionModel) -> None:
    seen, first, heard = torch.randn(1, 6, 5), torch.randn(1, 5), torch.randn(1, 6, 8)
    whole, last = model.remember(seen, first, heard, None)
    begun, state = model.remember(seen[:, :4], first, heard[:, :4], None)
    rest, end = model.remember(seen[:, 4:], first, heard[:, 4:], state)
    torch.testing.assert_close(torch.cat([begun, rest], 1), whole)
    torch.testing.assert_close(end, last)
    assert (model.remember(seen, first + 1, heard, None)[0] - whole).abs().max() > 1e-3


def test_saves_and_loads(model: MotionModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    loaded = MotionModel.from_pretrained(tmp_path)
    assert dict(loaded.config)["chunk"] == 2
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, atol=0, rtol=0)


@pytest.mark.parametrize(("kernel", "windows"), [(3, 4), (7, 2)])
def test_how_much_of_the_voice_a_frame_hears_is_of_the_config(kernel: int, windows: int, tmp_path: Path) -> None:
    made = MotionModel(8, 8, pose_components=2, chunk_components=2, mel_windows=windows, kernel=kernel, lip_shapes=3)
    made.save_pretrained(tmp_path)
    model = MotionModel.from_pretrained(tmp_path)
    assert model.span == 2 * kernel
    assert model.hear(torch.zeros(1, model.span + 3, windows, 80)).shape == (1, 4, 8)
    assert model.lip_basis.shape == (3, SPEECH)


def test_a_config_that_does_not_say_it_has_the_sizes_of_before(model: MotionModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    added = {"kernel": 5, "dropout": 0.1, "lip_shapes": 8, "flow_blocks": 3, "fade": 100.0}
    config = read_json(tmp_path / "config.json")
    assert {name: config.pop(name) for name in added} == added
    write_json(tmp_path / "config.json", config)
    loaded = MotionModel.from_pretrained(tmp_path)
    assert {name: loaded.config[name] for name in added} == added
    assert loaded.voice.dropout.p == 0.1


def test_too_few_frames_name_both_numbers() -> None:
    model = MotionModel(8, 16, pose_components=5, chunk_components=6)
    few = torch.randn(4, POSTURE), torch.randn(4, SPEECH), torch.randn(4, 4, POSTURE)
    with pytest.raises(ValueError, match=r"4 training frames.* 5 pose components"):
        model.fit_statistics(torch.randn(9, 80), *few, torch.ones(POSTURE))

from pathlib import Path

import pytest
import torch

from stages.lib.nets.motion import MotionModel


@pytest.fixture
def model() -> MotionModel:
    torch.manual_seed(0)
    model = MotionModel(components=6, audio_features=8, width=16, layers=3, lookahead=2)
    model.fit_statistics(torch.randn(200, 246), torch.randn(200, 8), torch.ones(246))
    torch.nn.init.normal_(model.motion_out.weight, std=0.1)
    return model.eval()


def test_components_are_orthonormal_and_whiten(model: MotionModel) -> None:
    torch.testing.assert_close(model.basis @ model.basis.T, torch.eye(6), atol=1e-5, rtol=0)
    motion = torch.randn(2, 5, 6)
    torch.testing.assert_close(model.encode_motion(model.decode_motion(motion)), motion, atol=1e-4, rtol=1e-4)


def test_output_depends_on_no_audio_beyond_the_lookahead(model: MotionModel) -> None:
    noisy, audio, reference = torch.randn(1, 20, 6), torch.randn(1, 20, 8), torch.randn(1, 246)
    time = torch.tensor([0.7])
    before = model(noisy, time, audio, reference)
    later = audio.clone()
    later[:, 13:] += 5
    changed = (model(noisy, time, later, reference) - before).abs().amax((0, 2)) > 1e-6
    assert not changed[:11].any()
    assert changed[11:].all()


def test_saves_and_loads(model: MotionModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    loaded = MotionModel.from_pretrained(tmp_path)
    assert dict(loaded.config)["lookahead"] == 2
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, atol=0, rtol=0)


def test_too_few_frames_name_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"3 training frames.*components=6"):
        MotionModel(components=6, audio_features=8).fit_statistics(
            torch.randn(3, 246), torch.randn(3, 8), torch.ones(246)
        )

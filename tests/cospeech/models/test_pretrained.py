from pathlib import Path

import pytest

from cospeech.models.autoencoders.pose_encoder import PoseEncoder
from cospeech.models.common.pretrained import require_config


def test_a_model_of_the_right_shape_passes_whatever_diffusers_notes_beside_it():
    require_config("codec", Path("there"), {"width": 8, "_class_name": "Codec", "more": 1}, {"width": 8, "_name": "x"})


def test_every_difference_is_named_with_both_values():
    with pytest.raises(
        ValueError, match=r"codec.pretrained=there does not fit: width 8 where params say 16, depth None"
    ):
        require_config("codec", Path("there"), {"width": 8}, {"width": 16, "depth": 2})


def test_a_model_saved_again_from_elsewhere_has_the_same_bytes(tmp_path):
    model = PoseEncoder(channels=4)
    model.save_pretrained(tmp_path / "first")
    PoseEncoder.from_pretrained(tmp_path / "first").save_pretrained(tmp_path / "second")
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()

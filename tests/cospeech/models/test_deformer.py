from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from cospeech.harness.files import read_json, write_json
from cospeech.models.warping.deformer import Deformer, Offsets
from cospeech.models.warping.geometry import OffsetReach, WarpGeometry
from cospeech.models.warping.limb_layers import BONES, Pose, arm_layer
from cospeech.models.warping.warp import body_field, take_apart, warp_picture
from tests.helpers.limbs import person, pose, turned_forearm

GEOMETRY = WarpGeometry(body_cells=32)
MIDDLE = GEOMETRY.body_cells // 2
CHEST, MOUTH, CORNER = (17, MIDDLE), (9, MIDDLE), (1, 1)  # rows and columns; the shoulders are at 0.4
WIDTH = 0.24
"""Of the shoulders, picture sides."""


def lively(seed: int = 0) -> Deformer:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        deformer = Deformer(width=16)
        torch.nn.init.normal_(deformer.last.weight, std=0.5)
    return deformer.requires_grad_(False)


def offsets(torso: complex = 0, bones: complex = 0) -> Offsets:
    """The same everywhere."""
    both = (torch.tensor([each.real, each.imag]) for each in (complex(torso), complex(bones)))
    shapes = ((1, 2, 8, 8), (1, len(BONES), 2, 3, 6))
    cells = [each[:, None, None].expand(shape).contiguous() for each, shape in zip(both, shapes, strict=True)]
    return Offsets(cells[0], cells[1], OffsetReach())


def moved() -> Pose:
    return pose(turned_forearm(-1.2), person() + 0.03j)


def test_an_untrained_deformer_changes_nothing():
    still, posed = pose(person()).expand(2), moved()
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    layers = take_apart(picture, pose(person()), GEOMETRY)
    plain = warp_picture(layers, still, posed)
    assert torch.equal(warp_picture(layers, still, posed, Deformer(width=16)(still, posed)), plain)
    assert (warp_picture(layers, still, posed, lively()(still, posed)) - plain).abs().max() > 0.05


def test_torso_offsets_are_shoulder_widths_and_end_in_the_background():
    still = pose(person())
    difference = body_field(still, still, GEOMETRY, offsets(torso=0.1 - 0.05j)) - body_field(still, still, GEOMETRY)
    torch.testing.assert_close(difference[0][CHEST], torch.tensor(WIDTH * (0.1 - 0.05j)))
    assert difference[0][CORNER] == 0
    assert difference[0][MOUTH] == 0


def test_bone_offsets_follow_the_bone_of_the_reference():
    still, posed = person(), turned_forearm(-1.2)
    on_forearm = torch.lerp(posed[7], posed[9], 0.5)[None]
    plain, distance = arm_layer(on_forearm, pose(still), pose(posed), GEOMETRY)
    shifted, same = arm_layer(on_forearm, pose(still), pose(posed), GEOMETRY, offsets(bones=0.1))
    direction = (still[9] - still[7]) / (still[9] - still[7]).abs()
    torch.testing.assert_close(shifted - plain, 0.1 * WIDTH * direction[None, None])
    assert torch.equal(same, distance)


def test_offsets_do_not_depend_on_where_and_how_large_the_person_is():
    still, posed = pose(person()).expand(2), moved()

    def elsewhere(each: Pose) -> Pose:
        return Pose(0.6 * each.points_BK + (0.1 + 0.2j), each.seen_BK)

    here, there = lively()(still, posed), lively()(elsewhere(still), elsewhere(posed))
    torch.testing.assert_close(here.torso_B2GG, there.torso_B2GG, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(here.bones_BL2SA, there.bones_BL2SA, atol=1e-5, rtol=1e-4)


def test_offsets_of_a_pose_are_those_it_has_alone():
    still, posed, deformer = pose(person()), moved(), lively()
    together, alone = deformer(still.expand(2), posed), deformer(still, posed[1:])
    torch.testing.assert_close(together.torso_B2GG[1:], alone.torso_B2GG, atol=1e-6, rtol=1e-5)
    assert not torch.equal(together.torso_B2GG[0], together.torso_B2GG[1])


def test_where_keypoints_are_that_were_not_found_does_not_matter():
    still, posed, deformer = pose(person()), moved()[:1], lively()
    seen = posed.seen_BK.clone()
    seen[0, [7, 9, 11, 100]] = False
    guessed = posed.points_BK.clone()
    guessed[0, [7, 9, 11, 100]] = 0.9 + 0.1j
    first, second = (deformer(still, Pose(points, seen)) for points in (posed.points_BK, guessed))
    assert torch.equal(first.torso_B2GG, second.torso_B2GG)
    assert not torch.equal(first.torso_B2GG, deformer(still, posed).torso_B2GG)


@pytest.mark.parametrize("hidden", ["still", "posed"])
def test_no_offsets_without_shoulders(hidden: str):
    poses = {"still": pose(person()), "posed": moved()[:1]}
    poses[hidden].seen_BK[0, 6] = False
    found = lively()(**poses)
    assert not found.torso_B2GG.any()
    assert not found.bones_BL2SA.any()


def test_offsets_are_bounded():
    deformer = lively()
    deformer.last.weight.mul_(1e4)
    found = deformer(pose(person()).expand(2), moved())
    assert 0.2 < found.torso_B2GG.abs().max() <= 0.25


def test_every_weight_learns_from_pictures():
    deformer = Deformer(width=16)
    torch.nn.init.normal_(deformer.last.weight, std=0.1)
    still, posed = pose(person()).expand(2), moved()
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    made = warp_picture(take_apart(picture, pose(person()), GEOMETRY), still, posed, deformer(still, posed))
    made.square().mean().backward()
    gradients = [weight.grad for weight in deformer.parameters()]
    assert all(each is not None and each.any() for each in gradients)


def test_a_saved_one_gives_the_same_offsets(tmp_path):
    lively().save_pretrained(tmp_path)
    still, posed = pose(person()).expand(2), moved()
    saved = Deformer.from_pretrained(tmp_path)(still, posed)
    assert torch.equal(saved.bones_BL2SA, lively()(still, posed).bones_BL2SA)


def test_its_sizes_are_saved_with_it_and_rule_the_offsets(tmp_path: Path) -> None:
    wide = {"greatest": 0.5, "unit": 0.1, "reach": {"fade": 0.6}, "geometry": {"finger": 0.06}}
    Deformer(width=16, **wide).save_pretrained(tmp_path)
    loaded = Deformer.from_pretrained(tmp_path)
    assert loaded.reach == OffsetReach(fade=0.6)
    assert loaded.geometry == WarpGeometry(finger=0.06)
    loaded.load_state_dict(lively().state_dict())
    still, posed = pose(person()).expand(2), moved()
    torch.testing.assert_close(loaded(still, posed).torso_B2GG, 2 * lively()(still, posed).torso_B2GG)


def test_a_config_that_does_not_say_them_has_those_of_before(tmp_path: Path) -> None:
    lively().save_pretrained(tmp_path)
    config = read_json(tmp_path / "config.json")
    assert config.pop("reach") == asdict(OffsetReach())
    assert config.pop("geometry") == asdict(WarpGeometry())
    assert (config.pop("greatest"), config.pop("unit")) == (0.25, 0.05)
    write_json(tmp_path / "config.json", config)
    still, posed, older = pose(person()).expand(2), moved(), Deformer.from_pretrained(tmp_path)
    assert older.config["reach"] == asdict(OffsetReach())
    assert torch.equal(older(still, posed).bones_BL2SA, lively()(still, posed).bones_BL2SA)

import numpy as np
import pytest
import torch

from cospeech.models.autoencoders.codec import Codec
from cospeech.models.warping.geometry import WarpGeometry
from cospeech.models.warping.limb_layers import Pose
from cospeech.models.warping.warp import (
    Layers,
    Warper,
    _around,
    _lay_over,
    body_field,
    fill,
    stretch_cells,
    take_apart,
    warp_picture,
)
from tests.helpers.keypoints import unit_track
from tests.helpers.limbs import person, pose, turned_forearm

CELLS, SIZE = 8, 64
GEOMETRY = WarpGeometry()
COARSE = WarpGeometry(body_cells=CELLS)


def identity_field(cells: int = CELLS) -> torch.Tensor:
    middle = (torch.arange(cells) + 0.5) / cells
    return torch.complex(*torch.meshgrid(middle, middle, indexing="xy"))[None]


def noise_picture() -> torch.Tensor:
    coarse = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear")


def stripes() -> torch.Tensor:
    """(1, 3, SIZE, SIZE): level stripes."""
    return (torch.arange(SIZE) // 4 % 2).float()[None, None, :, None].expand(1, 3, SIZE, SIZE).contiguous()


def at(picture: torch.Tensor, point: torch.Tensor) -> torch.Tensor:
    return picture[..., int(point.imag * SIZE), int(point.real * SIZE)]


def with_red(picture: torch.Tensor, points: torch.Tensor, radius: float) -> torch.Tensor:
    """`picture` with red discs of `radius` picture sides around `points`."""
    away = (identity_field(SIZE)[0][..., None] - points).abs().amin(-1)
    return torch.where(away < radius, torch.tensor([1.0, 0.0, 0.0])[:, None, None], picture)


def with_forearm(points: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    """`picture` with a red left forearm and hand."""
    along = torch.lerp(points[7], points[9], torch.linspace(0, 1, 20).to(points.dtype))
    return with_red(picture, torch.cat([along, points[91:112]]), 0.1 * float((points[5] - points[6]).abs()))


def test_an_unmoved_pose_leaves_everything_where_it_is():
    still = pose(person())
    torch.testing.assert_close(body_field(still, still, COARSE), identity_field(), atol=1e-5, rtol=0)


def test_an_unmoved_person_is_the_same_picture():
    still, picture = pose(person()), noise_picture()
    torch.testing.assert_close(
        warp_picture(Layers(picture, picture, picture, GEOMETRY), still, still), picture, atol=0.02, rtol=0
    )


def test_head_and_torso_follow_and_the_border_stays():
    still, moved = pose(person()), pose(person() + 0.1 - 0.05j)
    offset = body_field(still, moved, COARSE) - identity_field()
    torch.testing.assert_close(offset[0, 3:5, 4:6].mean(), torch.tensor(-0.1 + 0.05j), atol=0.02, rtol=0)
    assert offset[0, :, [0, -1]].abs().max() < 0.05
    assert offset[0, 0, [0, 1, -1]].abs().max() < 0.05


def test_hair_goes_with_the_head():
    tilted = person()
    face = [*range(5), *range(23, 91)]
    tilted[face] += 0.06
    above = body_field(pose(person()), pose(tilted), GEOMETRY)[0, 3, 17]  # above the brow
    assert (above - identity_field(32)[0, 3, 17]).real.item() == pytest.approx(-0.06, abs=0.015)


def test_a_moving_arm_does_not_move_the_body():
    field = body_field(pose(person()), pose(turned_forearm(2.0)), COARSE)
    torch.testing.assert_close(field, identity_field(), atol=1e-5, rtol=0)


def test_unseen_points_do_not_pull():
    moved, seen = person(), torch.ones(1, 133, dtype=torch.bool)
    moved[23:91] += 0.3
    seen[0, 23:91] = False
    field = body_field(pose(person()), Pose(moved[None], seen), COARSE)
    torch.testing.assert_close(field, identity_field(), atol=1e-5, rtol=0)


def test_a_turned_forearm_is_drawn_where_it_went_and_clothes_stay_as_they_were():
    still, posed = person(), turned_forearm(-1.2)
    picture = with_forearm(still, stripes())
    made = warp_picture(take_apart(picture, pose(still), GEOMETRY), pose(still), pose(posed))
    red = torch.tensor([[1.0, 0.0, 0.0]])
    torch.testing.assert_close(at(made, (posed[7] + posed[9]) / 2), red, atol=0.1, rtol=0)
    torch.testing.assert_close(at(made, posed[100]), red, atol=0.2, rtol=0)
    left = (still[7] + 2 * still[9]) / 3
    assert at(made, left)[0, 1] > 0.2  # no longer red
    torso = (slice(None), slice(None), slice(40, 50), slice(28, 34))
    torch.testing.assert_close(made[torso], stripes()[torso], atol=0.05, rtol=0)


def test_an_arm_does_not_carry_a_hand_that_was_before_it():
    """The reference holds its left hand before its left upper arm; the hand then goes down."""
    still, posed = person(), person()
    still[91:112] += (still[5] + still[7]) / 2 - still[91:112].mean()
    picture = with_red(torch.zeros(1, 3, SIZE, SIZE), still[91:112], 0.03)
    assert at(picture, still[91:112].mean())[0, 0] == 1
    made = warp_picture(take_apart(picture, pose(still), GEOMETRY), pose(still), pose(posed))
    assert at(made, (posed[5] + posed[7]) / 2)[0, 0] < 0.4  # its fill is red at the edge of the discs
    assert at(made, posed[91:112].mean())[0, 0] > 0.9


def test_the_background_beside_a_moving_head_stays():
    tilted = person()
    tilted[[*range(5), *range(23, 91)]] += 0.06
    field = body_field(pose(person()), pose(tilted), GEOMETRY)
    at_rest = identity_field(32)[0]
    far = ((at_rest.real < 0.3) | (at_rest.real > 0.76)) & (at_rest.imag < 0.3)
    assert far.sum() > 100
    torch.testing.assert_close(field[0][far], at_rest[far], atol=1e-6, rtol=0)
    assert (field[0] - at_rest).real.amin() < -0.05


def test_the_bottom_holds_a_waist_whose_hips_are_not_seen():
    moved = person() - 0.05
    seen = torch.ones(1, 133, dtype=torch.bool)
    seen[:, [11, 12]] = False
    loose, held = (
        body_field(Pose(person()[None], here), Pose(moved[None], here), GEOMETRY)[0, -1, 16].real - (16.5 / 32)
        for here in (torch.ones_like(seen), seen)
    )
    assert loose.item() == pytest.approx(0.05, abs=0.01)
    assert abs(held.item()) < 0.02


def test_holes_are_filled_and_what_is_known_is_kept():
    picture = noise_picture()
    weight = torch.ones(1, 1, SIZE, SIZE)
    weight[..., 20:40, 10:30] = 0
    filled = fill(picture * weight, weight)
    torch.testing.assert_close(filled * weight, picture * weight)
    plain = fill(torch.full_like(picture, 0.7) * weight, weight)
    torch.testing.assert_close(plain, torch.full_like(picture, 0.7))


@pytest.mark.parametrize("frames", [1, 3])
def test_reference_latents_are_deformed_frame_by_frame(frames):
    torch.manual_seed(0)
    codec = Codec(encoder_width=8, decoder_width=8, detail_width=4)
    codec.fit_patches(torch.rand(2, 3, 64, 64) * 2 - 1)
    still = unit_track(torch.view_as_real(person()).numpy()[None])
    with torch.no_grad():
        reference = codec.encode(noise_picture() * 2 - 1)[0]
    moved = unit_track(np.stack([torch.view_as_real(person() + 0.05 * frame).numpy() for frame in range(frames)]))
    warped = Warper(codec, None, reference, still).warp(moved)
    assert warped.shape == (12, frames, 8, 8)
    alone = Warper(codec, None, reference, still).warp(moved[-1:])
    torch.testing.assert_close(warped[:, -1:], alone, atol=1e-4, rtol=1e-4)
    assert frames == 1 or (warped[:, -1] - warped[:, 0]).abs().mean() > 0.05


@pytest.mark.parametrize("size", [(64, 64), (50, 33)])
@pytest.mark.parametrize("seed", range(4))
def test_the_part_of_a_picture_that_is_worked_out_has_all_that_a_layer_shows(seed, size):
    rng = torch.Generator().manual_seed(seed)
    distance = 1 + torch.rand(2, 12, 12, generator=rng)
    for _ in range(3):
        row, column = torch.randint(12, (2,), generator=rng).tolist()
        distance[seed % 2, row, column] = -torch.rand(1, generator=rng).item()
    size = torch.Size(size)
    whole, part = stretch_cells(distance, size), _around((distance < 0).any(0), size)
    inside = torch.zeros(size, dtype=torch.bool)
    inside[part] = True
    assert not (whole[:, ~inside] < 0).any()
    torch.testing.assert_close(stretch_cells(distance, size, part), whole[(..., *part)])


def test_a_layer_that_shows_nowhere_changes_nothing():
    under, over, field = noise_picture(), stripes(), identity_field(12).flatten(1)
    made, nowhere, everywhere = under.clone(), torch.full((1, 144), 0.1), torch.full((1, 144), -0.1)
    _lay_over(made, over, field, nowhere, 0.05)
    assert torch.equal(made, under)
    _lay_over(made, over, field, everywhere, 0.05)
    assert not torch.equal(made, under)


def test_places_are_exact_under_mixed_precision():
    still, posed, picture = pose(person()), pose(turned_forearm(-1.2)), noise_picture()
    layers = take_apart(picture, still, GEOMETRY)
    exact = warp_picture(layers, still, posed)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(take_apart(picture, still, GEOMETRY).armless_BCHW, layers.armless_BCHW)
        torch.testing.assert_close(warp_picture(layers, still, posed), exact)

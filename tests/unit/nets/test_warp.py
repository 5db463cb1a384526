import numpy as np
import pytest
import torch

from stages.lib.nets.codec import Codec
from stages.lib.nets.warp import warp_field, warp_picture, warp_reference

CELLS = 8


def identity_field() -> torch.Tensor:
    middle = (torch.arange(CELLS) + 0.5) / CELLS
    return torch.stack(torch.meshgrid(middle, middle, indexing="xy"), -1)[None]


def person() -> torch.Tensor:
    """(1, 133, 2): points scattered over the middle of the picture."""
    return 0.3 + 0.4 * torch.rand(1, 133, 2, generator=torch.Generator().manual_seed(0))


def test_an_unmoved_pose_leaves_everything_where_it_is():
    field = warp_field(person(), person(), torch.ones(1, 133), CELLS)
    torch.testing.assert_close(field, identity_field(), atol=1e-5, rtol=0)


def test_the_middle_follows_the_person_and_the_border_stays():
    moved = person() + torch.tensor([0.1, -0.05])
    offset = warp_field(moved, person(), torch.ones(1, 133), CELLS) - identity_field()
    torch.testing.assert_close(offset[0, 3:5, 3:6].mean((0, 1)), torch.tensor([-0.1, 0.05]), atol=0.01, rtol=0)
    assert offset[0, :, 0].abs().max() < 0.05
    assert offset[0, -1].abs().max() < 0.05


def test_unseen_points_do_not_pull():
    moved, seen = person(), torch.ones(1, 133)
    moved[0, 100:] += 0.3
    seen[0, 100:] = 0
    torch.testing.assert_close(warp_field(moved, person(), seen, CELLS), identity_field(), atol=1e-5, rtol=0)


def test_each_cell_turns_by_the_best_rotation():
    """Against the textbook: for one cell, Kabsch over all control points with their weights."""
    angle = torch.tensor(0.4)
    rotation = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    turned = (person() - 0.5) @ rotation.T + 0.5
    field = warp_field(turned, person(), torch.ones(1, 133), CELLS)
    middle = identity_field()
    back = (middle - 0.5) @ rotation + 0.5
    inner = (slice(None), slice(3, 5), slice(3, 5))
    torch.testing.assert_close(field[inner], back[inner], atol=0.01, rtol=0)


def test_the_picture_is_sampled_where_the_field_says():
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(warp_picture(picture, identity_field())[..., 4:-4, 4:-4], picture[..., 4:-4, 4:-4])
    shifted = warp_picture(picture, identity_field() + torch.tensor([4 / 32, 0.0]))
    torch.testing.assert_close(shifted[..., 4:-4, 4:20], picture[..., 4:-4, 8:24], atol=1e-5, rtol=0)


@pytest.mark.parametrize("frames", [1, 3])
def test_reference_latents_are_deformed_frame_by_frame(frames):
    torch.manual_seed(0)
    codec = Codec(encoder_width=8, decoder_width=8, detail_width=4)
    picture = torch.rand(2, 3, 64, 64) * 2 - 1
    codec.fit_patches(picture)
    still, ones = person()[0].numpy(), np.ones(133)
    with torch.no_grad():
        reference = codec.encode(picture[:1])[0]
        rebuilt = codec.encode(codec.decode(reference[None]))[0]
    moves = np.arange(frames)[:, None, None] * np.array([0.1, 0.0])
    warped = warp_reference(codec, reference, still + moves, np.ones((frames, 133)), still, ones)
    assert warped.shape == (12, frames, 8, 8)
    torch.testing.assert_close(warped[:, 0, 1:-1, 1:-1], rebuilt[:, 1:-1, 1:-1], atol=1e-3, rtol=1e-3)
    for frame in range(1, frames):
        assert (warped[:, frame] - rebuilt).abs().mean() > 0.05

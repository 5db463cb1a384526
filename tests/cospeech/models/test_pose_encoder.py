import torch

from cospeech.models.autoencoders.pose_encoder import PoseEncoder


def pictures() -> torch.Tensor:
    """(B, 3, 32, 32) in 0..1: a bright line in each, elsewhere black, as skeletons are."""
    made = torch.zeros(4, 3, 32, 32)
    for index in range(4):
        made[index, index % 3, 5 * index : 5 * index + 2] = 1.0
        made[index, (index + 1) % 3, :, 7 * index] = 0.5
    return made


def test_channels_are_those_of_centred_patches_in_the_pixel_unshuffle_order():
    encoder = PoseEncoder(channels=6)
    encoder.fit(pictures())
    encoded = encoder.encode(pictures())
    assert encoded.shape == (4, 6, 4, 4)
    # slow and obvious: principal axes of the patches by svd, up to sign
    patches = torch.stack(
        [
            picture[:, y : y + 8, x : x + 8].flatten()
            for picture in pictures()
            for y in range(0, 32, 8)
            for x in range(0, 32, 8)
        ]
    )
    centred = patches - patches.mean(0)
    left, values, _ = torch.linalg.svd(centred, full_matrices=False)
    slow = (left[:, :6] * len(patches) ** 0.5).abs()
    fast = encoded.permute(0, 2, 3, 1).flatten(0, 2).abs()
    distinct = values[:6].diff().abs() > 1e-3
    strong = int(distinct.int().cumprod(0).sum())
    assert strong >= 2
    torch.testing.assert_close(fast[:, :strong], slow[:, :strong], atol=1e-3, rtol=1e-3)


def test_saved_and_loaded_encoder_gives_the_same_bits(tmp_path):
    encoder = PoseEncoder(channels=6)
    encoder.fit(pictures())
    encoder.save_pretrained(tmp_path)
    assert torch.equal(PoseEncoder.from_pretrained(tmp_path).encode(pictures()), encoder.encode(pictures()))


def test_rare_colours_are_limited():
    encoder = PoseEncoder(channels=6)
    encoder.fit(pictures() * 0.01)
    assert encoder.encode(torch.ones(1, 3, 32, 32) * 100).abs().max() <= 6.0

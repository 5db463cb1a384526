import pytest
import torch

from cospeech.models.autoencoders.codec import Codec
from cospeech.models.autoencoders.patch_pca import fit_patches

TINY = {"encoder_width": 8, "decoder_width": 8, "detail_width": 4, "decoder_blocks": 1}


def smooth_frames(count: int = 6, size: int = 64) -> torch.Tensor:
    """(B, 3, size, size) in -1..1: random waves, as compressible as pictures are."""
    generator = torch.Generator().manual_seed(3)
    y, x = torch.meshgrid(torch.linspace(0, 6, size), torch.linspace(0, 6, size), indexing="ij")
    slope = torch.randn(count, 3, 2, 1, 1, generator=generator)
    return torch.sin(slope[:, :, 0] * x + slope[:, :, 1] * y)


def fitted_codec() -> Codec:
    torch.manual_seed(0)
    codec = Codec(**TINY)
    codec.fit_patches(smooth_frames())
    codec.fit_statistics(smooth_frames())
    codec.fit_sensitivity(smooth_frames(), torch.Generator().manual_seed(0))
    return codec.eval()


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(10 * torch.log10(4 / (a - b).square().mean()))


@torch.no_grad()
def test_patches_alone_already_rebuild_smooth_frames():
    codec = fitted_codec()
    frames = smooth_frames()
    latents = codec.encode(frames)
    assert latents.shape == (6, 12, 8, 8)
    assert psnr(codec.decode(latents), frames) > 30


@torch.no_grad()
def test_latents_have_zero_mean_and_unit_variance_and_no_dead_channel_counts():
    codec = fitted_codec()
    latents = codec.encode(smooth_frames())
    assert latents.mean((0, 2, 3)).abs().max() < 1e-4
    assert (latents.std((0, 2, 3)) - 1).abs().max() < 1e-3
    # components are ordered by the error they save, so a unit of the first is worth most
    assert codec.sensitivity.argmax() == 0


@torch.no_grad()
def test_saved_and_loaded_codec_gives_the_same_bits(tmp_path):
    codec = fitted_codec()
    codec.save_pretrained(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    loaded = Codec.from_pretrained(tmp_path)
    frames = smooth_frames()
    assert torch.equal(loaded.encode(frames), codec.encode(frames))
    assert torch.equal(loaded.decode(codec.encode(frames)), codec.decode(codec.encode(frames)))
    assert torch.equal(loaded.sensitivity, codec.sensitivity)


def test_gradients_reach_the_latents_and_every_weight():
    codec = fitted_codec()
    latents = codec.encode(smooth_frames())
    codec.decode(latents).square().mean().backward()
    silent = [name for name, weight in codec.named_parameters() if weight.grad is None]
    assert not silent


def test_components_are_orthonormal_and_signed():
    mean, basis, deviation = fit_patches(smooth_frames(), 8, 5)
    torch.testing.assert_close(basis.T @ basis, torch.eye(5), atol=1e-5, rtol=0)
    assert (basis.gather(0, basis.abs().argmax(0, keepdim=True)) > 0).all()
    assert (deviation.diff() <= 0).all()
    assert mean.shape == (192,)


@pytest.mark.parametrize("count", [1, 3])
@torch.no_grad()
def test_frames_are_coded_one_by_one(count):
    codec = fitted_codec()
    frames = smooth_frames()
    torch.testing.assert_close(codec.encode(frames)[:count], codec.encode(frames[:count]), atol=1e-4, rtol=1e-4)

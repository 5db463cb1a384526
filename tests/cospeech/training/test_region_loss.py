"""The region loss looks at decoded frames, region by region, with the features it was given."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import alexnet

from cospeech.datasets.windows import ClipTensors, Window
from cospeech.models.autoencoders.codec import Codec
from cospeech.models.perception.face import SIDE, FaceNet, align_faces, faces_visible, load_face_net
from cospeech.models.perception.lpips import Lpips, load_lpips
from cospeech.pose.regions import ARMS, FACE, HANDS
from cospeech.training.region_loss import Judges, choose_frames, masked_mean, region_loss
from cospeech.training.trainer import seeded
from tests.stages.tiny_project import FRAMES, SIZE, film

CELLS = SIZE // 8
EVERYWHERE = {FACE: 1.0, HANDS: 1.0}


@pytest.fixture(scope="module")
def codec() -> Codec:
    with seeded(0):
        codec = Codec(latent_channels=4, encoder_width=4, encoder_blocks=1, decoder_width=4, decoder_blocks=0,
                      detail_width=4, detail_blocks=0)  # fmt: skip
        codec.fit_patches(torch.rand(4, 3, SIZE, SIZE) * 2 - 1)
    return codec.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def windows() -> list[Window]:
    """Two windows of four frames; where the hands are their cells are known."""
    _, track = film(0)
    still = torch.zeros(FRAMES, 4, CELLS, CELLS)
    clip = ClipTensors("a", "x", still, still, track, still[:, 0])
    return [Window(clip, start, start + 4, 0) for start in (0, 5)]


def latents(seed: int) -> torch.Tensor:
    return torch.randn(2, 4, 4, CELLS, CELLS, generator=torch.Generator().manual_seed(seed))


def tiny_face_net() -> FaceNet:
    with seeded(1):
        net = FaceNet((1, 1, 1, 1), (4, 4, 4, 4), 8)
    return net.eval().requires_grad_(False)


def test_the_truth_itself_costs_nothing(codec: Codec, windows: list[Window]) -> None:
    for judges in (Judges(codec), Judges(codec, face=tiny_face_net())):
        assert region_loss(judges, latents(0), latents(0), windows, [0, 3], EVERYWHERE) == pytest.approx(0, abs=1e-9)
        assert region_loss(judges, latents(1), latents(0), windows, [0, 3], EVERYWHERE) > 0.01


def test_only_what_is_chosen_is_looked_at(codec: Codec, windows: list[Window]) -> None:
    """Gradient reaches the hands' cells of the chosen frames and, by the decoder's reach, their neighbours."""
    made = latents(1).requires_grad_()
    region_loss(Judges(codec), made, latents(0), windows, [1], {HANDS: 1.0, ARMS: 0.0}).backward()
    assert made.grad is not None
    reached = made.grad.abs().sum(1) > 0
    assert reached[:, 1].any()
    assert not reached[:, [0, 2, 3]].any()
    assert not reached[:, 1, 0].any()  # the face is in the upper rows, the hands are in the lower
    assert reached[:, 1, -1].any()


def test_weights_scale_their_region_and_zero_leaves_it_out(codec: Codec, windows: list[Window]) -> None:
    def loss(**weights: float) -> float:
        chosen = {{"face": FACE, "hands": HANDS}[name]: weight for name, weight in weights.items()}
        return region_loss(Judges(codec), latents(1), latents(0), windows, [0, 2], chosen).item()

    face, hands = loss(face=1), loss(hands=1)
    assert loss(face=2, hands=0.5) == pytest.approx(2 * face + 0.5 * hands, rel=1e-5)
    assert loss(face=0, hands=1) == hands


def test_the_gradient_is_that_of_the_loss(codec: Codec, windows: list[Window]) -> None:
    """Against central differences along the gradient, in the float32 that the codec decodes to."""

    def loss(made: torch.Tensor) -> torch.Tensor:
        return region_loss(Judges(codec), made, latents(0), windows, [0, 2], EVERYWHERE)

    made = latents(1).requires_grad_()
    (slope,) = torch.autograd.grad(loss(made), made)
    step = 0.05 * slope / slope.norm()
    with torch.no_grad():
        difference = (loss(made + step) - loss(made - step)) / 2
    assert difference.item() == pytest.approx((slope * step).sum().item(), rel=1e-2)


def test_a_region_that_is_not_there_counts_nothing() -> None:
    error = torch.tensor([[[1.0, 3.0]], [[5.0, 7.0]]])
    inside = torch.tensor([[[True, True]], [[False, False]]])
    assert masked_mean(error, inside) == 1.0  # (2 + 0) / 2
    assert masked_mean(error, torch.tensor([[[False, True]], [[True, False]]])) == 4.0


def test_chosen_frames_differ_and_are_in_order() -> None:
    chosen = [choose_frames(3, 8, torch.Generator().manual_seed(seed)) for seed in range(20)]
    assert all(each == sorted(set(each)) and len(each) == 3 for each in chosen)
    assert len({tuple(each) for each in chosen}) > 5
    assert choose_frames(9, 4, torch.Generator()) == [0, 1, 2, 3]


def test_face_features_come_in_where_configured(codec: Codec, windows: list[Window]) -> None:
    judges = Judges(codec, face=tiny_face_net())
    assert judges.names == {"face": "face recognition", "other regions": "codec"}
    made = latents(1).requires_grad_()
    loss = region_loss(judges, made, latents(0), windows, [0], {FACE: 1.0})
    loss.backward()
    assert made.grad is not None
    assert made.grad[:, :, 0].abs().max() > 0
    assert loss.item() <= 4  # between two points of the unit sphere


def test_face_weights_are_read_from_their_file(tmp_path: Path) -> None:
    net = FaceNet((2, 1, 1, 3), (4, 4, 8, 8), 16)
    with torch.no_grad():
        for buffer in net.buffers():
            if buffer.dtype.is_floating_point:
                buffer.uniform_(0.5, 1.5)
    save_file(net.eval().state_dict(), tmp_path / "face.safetensors")
    faces = torch.rand(2, 3, SIDE, SIDE) * 2 - 1
    loaded = load_face_net(tmp_path / "face.safetensors")
    torch.testing.assert_close(loaded(faces), net(faces))
    torch.testing.assert_close(loaded(faces).norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("load", [load_face_net, load_lpips])
def test_other_weights_are_refused(tmp_path: Path, load: object) -> None:
    assert callable(load)
    with pytest.raises(ValueError, match="no such file"):
        load(tmp_path / "absent.safetensors")
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other\.safetensors: n"):
        load(tmp_path / "other.safetensors")


def test_faces_are_turned_and_scaled_onto_the_template() -> None:
    """Dots painted at the keypoints of a turned face land on ArcFace's five points."""
    template = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.73, 92.2)])
    turn, shift = 0.5 * np.exp(0.4j), 90 + 60j
    moved = (template[:, 0] + 1j * template[:, 1]) * turn + shift
    side = 256
    keypoints = np.zeros((1, 133, 2))
    for points, at in zip(
        ((59, 60, 61, 62, 63, 64), (65, 66, 67, 68, 69, 70), (53,), (71,), (77,)), moved, strict=True
    ):
        keypoints[0, list(points)] = (at.real / side, at.imag / side)
    picture = torch.full((1, 3, side, side), -1.0)
    for at in moved:
        picture[0, :, int(at.imag) - 1 : int(at.imag) + 2, int(at.real) - 1 : int(at.real) + 2] = 1
    face = align_faces(picture, keypoints)
    assert face.shape == (1, 3, SIDE, SIDE)
    for x, y in template:
        assert face[0, 0, int(y), int(x)] > 0.5
    assert (face > 0).float().mean() < 0.05


def test_a_face_whose_points_are_not_seen_is_left_out(codec: Codec, windows: list[Window]) -> None:
    track = film(0)[1][:2]
    track.confidence[1, 71] = 0
    assert faces_visible(track).tolist() == [True, False]


def test_lpips_is_that_of_torchmetrics_and_reads_torchvisions_backbone(tmp_path: Path) -> None:
    with seeded(3):
        backbone = alexnet(weights=None)
    save_file(backbone.state_dict(), tmp_path / "alexnet.safetensors")
    lpips = load_lpips(tmp_path / "alexnet.safetensors")
    made, truth = (torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(s)) * 2 - 1 for s in (0, 1))
    conv = lpips.distance.net.slice1[0]
    assert torch.equal(conv.weight, backbone.features[0].weight)
    assert torch.equal(lpips.distance.net.slice5[-2].weight, backbone.features[10].weight)
    assert lpips(made, truth).shape == (2, 64, 64)
    assert lpips(made, truth).mean() > 1e-4
    assert lpips(truth, truth).abs().max() == 0
    assert isinstance(lpips, Lpips)


def test_lpips_comes_in_where_configured(codec: Codec, windows: list[Window], tmp_path: Path) -> None:
    with seeded(3):
        save_file(alexnet(weights=None).state_dict(), tmp_path / "alexnet.safetensors")
    judges = Judges(codec, lpips=load_lpips(tmp_path / "alexnet.safetensors"))
    assert judges.names == {"face": "codec", "other regions": "LPIPS"}
    found = region_loss(judges, latents(1), latents(0), windows, [0], EVERYWHERE)
    assert found > 0
    assert found != region_loss(Judges(codec), latents(1), latents(0), windows, [0], EVERYWHERE)

"""The architectures of published networks with random weights, against other implementations of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from scipy.ndimage import gaussian_filter

from cospeech.metric_networks.arcface import ArcFace
from cospeech.metric_networks.i3d import I3D, I3DNet, _pad_same
from cospeech.metric_networks.inception import Inception
from cospeech.metric_networks.lpips import Lpips
from cospeech.metric_networks.weights import load_state
from cospeech.metrics.image import psnr
from cospeech.models.perception.face import FaceNet
from tests.helpers.keypoints import person

CPU = torch.device("cpu")


def frames(seed: int, count: int = 3, side: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def as_tensor(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from torchvision.models import alexnet

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "alexnet.safetensors"
    save_file({f"features.{name}": each for name, each in alexnet(weights=None).features.state_dict().items()}, path)
    return path


def slow_lpips(made: np.ndarray, truth: np.ndarray, backbone: Path) -> np.ndarray:
    """As the paper has it, layer by layer."""
    from torchmetrics.functional.image import lpips as shipped
    from torchvision.models import alexnet

    layers = alexnet(weights=None).features
    layers.load_state_dict({name[9:]: each for name, each in load_file(backbone).items()})
    path = Path(shipped.__file__ or "").parent / "lpips_models/alex.pth"
    heads = torch.load(path, map_location="cpu", weights_only=True)
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    a, b = ((as_tensor(x) / 127.5 - 1 - shift.view(1, 3, 1, 1)) / scale.view(1, 3, 1, 1) for x in (made, truth))
    total, head = torch.zeros(len(made)), 0
    with torch.no_grad():
        for layer in layers:
            a, b = (torch.relu(x) if isinstance(layer, torch.nn.ReLU) else layer(x) for x in (a, b))
            if isinstance(layer, torch.nn.ReLU):
                difference = torch.nn.functional.normalize(a) - torch.nn.functional.normalize(b)
                total += (difference**2 * heads[f"lin{head}.model.1.weight"]).sum(1).mean((1, 2))
                head += 1
    return total.numpy()


def test_lpips_layer_by_layer(alexnet: Path) -> None:
    made, truth = frames(1), frames(2)
    ours = Lpips(alexnet, CPU)
    np.testing.assert_allclose(ours(made, truth), slow_lpips(made, truth, alexnet), rtol=1e-3)
    np.testing.assert_allclose(ours(made, made), 0, atol=1e-9)


SHIPPED = Path("models/pretrained/lpips/alexnet_features.safetensors")


def test_lpips_of_the_authors_example(repository: Path) -> None:
    """Their script prints 0.722 and 0.138 for these pictures."""
    folder = repository.parent / "shared/weights/lpips_example"
    if not folder.is_dir():
        pytest.skip(f"the authors' pictures are not at {folder}")
    reference, *changed = (np.array(Image.open(folder / f"{name}.png"))[None] for name in ("ex_ref", "ex_p0", "ex_p1"))
    lpips = Lpips(repository / SHIPPED, CPU)
    assert [round(float(lpips(reference, each)[0]), 3) for each in changed] == [0.722, 0.138]


def test_shipped_lpips_rises_with_blur_and_more_than_with_a_shift_of_grey(repository: Path) -> None:
    """What PSNR has the other way round: it forgives blur, and not that all is a little brighter."""
    lpips = Lpips(repository / SHIPPED, CPU)
    truth = gaussian_filter(np.random.default_rng(0).uniform(0, 255, (1, 96, 96, 3)), (0, 1, 1, 0)) * 0.8
    blurred = [gaussian_filter(truth, (0, s, s, 0)) for s in (0.5, 1, 2, 4)]
    brighter = truth + 40
    pictures = [each.astype(np.uint8) for each in (truth, *blurred, brighter)]
    scores = [float(lpips(each, pictures[0])[0]) for each in pictures]
    assert scores[0] == 0
    assert scores[:5] == sorted(scores[:5])
    assert scores[5] < scores[2]
    assert psnr(pictures[5], pictures[0])[0] < psnr(pictures[2], pictures[0])[0]


def test_inception_agrees_with_torchmetrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features and, through them, FID."""
    import torch_fidelity.feature_extractor_inceptionv3 as theirs
    from torchmetrics.image.fid import FrechetInceptionDistance

    from cospeech.metrics.distributions import frechet_distance

    made = tmp_path / "inception.pth"
    with monkeypatch.context() as patch:  # theirs has no way to be made without weights
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda *_, **__: None)
        torch.manual_seed(0)
        torch.save(theirs.FeatureExtractorInceptionV3("random", ["2048"]).state_dict(), made)
    ours = Inception(made, CPU)
    fid = FrechetInceptionDistance(feature_extractor_weights_path=str(made))
    a, b = frames(1, 6), frames(2, 6) // 2
    fid.update(as_tensor(a), real=True)
    fid.update(as_tensor(b), real=False)
    distance = frechet_distance(ours(a), ours(b))
    assert distance == pytest.approx(float(fid.compute()), rel=1e-2, abs=1e-6)


def test_i3d_is_the_published_network(tmp_path: Path) -> None:
    net = I3DNet()
    names = set(net.state_dict())
    published = ("Conv3d_1a_7x7.conv3d.weight", "Conv3d_2c_3x3.bn.running_var", "Mixed_4f.b2b.conv3d.weight",
                 "Mixed_5c.b3b.bn.bias", "logits.conv3d.bias")  # fmt: skip
    assert set(published) <= names
    assert sum(each.numel() for each in net.parameters()) == 12_697_264  # of the RGB stream with 400 classes
    path = tmp_path / "i3d.safetensors"
    save_file({name: each.clone() for name, each in net.state_dict().items()}, path)
    video = frames(3, 10)
    seen = I3D(path, CPU)(video)
    assert seen.shape == (400,)
    with torch.no_grad():
        x = torch.nn.functional.interpolate(as_tensor(video).float() / 127.5 - 1, 224, mode="bilinear")
        np.testing.assert_allclose(seen, net.eval()(x.transpose(0, 1)[None])[0], atol=1e-4)
    with pytest.raises(ValueError, match="9 frames or more, got 8"):
        I3D(path, CPU)(video[:8])


@pytest.mark.parametrize(("size", "kernel", "stride"), [(7, 3, 2), (8, 3, 2), (10, 7, 2), (9, 2, 2), (5, 3, 1)])
def test_padding_is_that_of_tensorflow(size: int, kernel: int, stride: int) -> None:
    """ceil(size / stride) places; where the zeros are odd in number the one more comes behind."""
    x = torch.ones(1, 1, size, 1, 1)
    padded = _pad_same(x, (kernel, 1, 1), (stride, 1, 1)).flatten()
    places = -(-size // stride)
    needed = max((places - 1) * stride + kernel - size, 0)
    assert len(padded) == size + needed
    assert padded.tolist() == [0] * (needed // 2) + [1] * size + [0] * (needed - needed // 2)


def test_faces_are_cut_out_where_they_are(tmp_path: Path) -> None:
    """A face and the same face elsewhere in the picture have the same features; another face has others."""
    torch.manual_seed(1)
    save_file(FaceNet((1, 1, 1, 1), (4, 4, 4, 4), 8).state_dict(), tmp_path / "arcface.safetensors")
    keypoints = person(1).keypoints
    smooth = gaussian_filter(np.random.default_rng(0).uniform(0, 255, (256, 256, 3)), (6, 6, 0)) * 4 % 256
    here = smooth.astype(np.uint8)[None]
    moved, there = np.roll(here, (12, -9), (1, 2)), keypoints + np.array([-9, 12])
    face = ArcFace(tmp_path / "arcface.safetensors", CPU)
    first, second, other = face(here, keypoints), face(moved, there), face(moved, keypoints)
    np.testing.assert_allclose(first, second, atol=1e-3)
    assert np.abs(first - other).max() > 1e-2


@pytest.mark.parametrize("load", [Lpips, I3D, Inception, ArcFace])
def test_what_is_no_weights_is_an_error_for_people(load: Callable[..., object], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"evaluate.weights.x: .*no such file"):
        load(tmp_path / "absent.safetensors", CPU, "evaluate.weights.x")
    wrong = tmp_path / "wrong.safetensors"
    save_file({"a": torch.zeros(1)}, wrong)
    with pytest.raises(ValueError, match=r"evaluate.weights.x: .*(wrong.safetensors|tensors do not fit)"):
        load(wrong, CPU, "evaluate.weights.x")


@pytest.mark.parametrize("load", [Lpips, I3D, Inception, ArcFace])
def test_a_checkpoint_of_another_kind_is_an_error_for_people(load: Callable[..., object], tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"evaluate\.weights\.x: .*weights\.safetensors"):
        load(path, CPU, "evaluate.weights.x")


@pytest.mark.parametrize("load", [I3D, Inception])
def test_what_is_no_file_of_tensors_is_an_error_too(load: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "wrong.pth").write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"evaluate.weights.x: .*wrong.pth is no file of tensors"):
        load(tmp_path / "wrong.pth", CPU, "evaluate.weights.x")


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("run",)

    path = tmp_path / "evil.pth"
    torch.save({"a": Evil()}, path)
    with pytest.raises(ValueError, match="no file of tensors"):
        load_state(path, "key")

from pathlib import Path

import torch

from cospeech.models.perception.sync import SyncExpert, contrastive_loss


def test_embeddings_are_unit_vectors_and_ignore_brightness() -> None:
    torch.manual_seed(0)
    expert = SyncExpert(width=8, embedding=12).eval()
    crops = torch.rand(3, 5, 3, 48, 96)
    lips = expert.lips(crops)
    torch.testing.assert_close(lips.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(expert.lips(crops + 0.3), lips, atol=1e-4, rtol=1e-3)
    assert expert.speech(torch.randn(3, 20, 80)).shape == (3, 12)


def test_clip_embedding_equals_windows_one_by_one() -> None:
    torch.manual_seed(0)
    expert = SyncExpert(width=8, embedding=12).eval()
    crops, mel = torch.rand(11, 3, 48, 96), torch.randn(11, 4, 80)
    lips, speech = expert.embed_lips(crops, batch=3), expert.embed_speech(mel, batch=3)
    assert lips.shape == speech.shape == (7, 12)
    torch.testing.assert_close(lips[4], expert.lips(crops[None, 4:9])[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(speech[4], expert.speech(mel[None, 4:9].flatten(1, 2))[0], atol=1e-5, rtol=1e-4)


def test_loss_is_least_when_rows_belong_together() -> None:
    rows = torch.nn.functional.normalize(torch.randn(8, 12), dim=1)
    temperature = torch.tensor(0.07).log()
    right = contrastive_loss(rows, rows, temperature)
    assert right < contrastive_loss(rows, rows.roll(1, 0), temperature)


def test_saves_and_loads(tmp_path: Path) -> None:
    expert = SyncExpert(width=8, embedding=12)
    expert.save_pretrained(tmp_path)
    loaded = SyncExpert.from_pretrained(tmp_path)
    for name, value in expert.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, atol=0, rtol=0)

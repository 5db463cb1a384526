from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from cospeech.audio import ctc
from cospeech.audio.ctc import CtcModel, align_words, load_ctc, recognise_phones
from tests.cospeech.audio.checkpoints import PHONES, make_phone_model

LETTERS = ["<pad>", "|", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]


@pytest.fixture(scope="module")
def phone_model(tmp_path_factory: pytest.TempPathFactory) -> CtcModel:
    return load_ctc(make_phone_model(tmp_path_factory.mktemp("phones")), "audio.phone_recogniser", hub=False)


def spoken(vocabulary: list[str], tokens: dict[int, str], frames: int) -> torch.Tensor:
    """Log probabilities (N, V): blank but for `tokens`, which are heard at their frame."""
    logits = torch.zeros(frames, len(vocabulary))
    logits[:, 0] = 9
    for frame, token in tokens.items():
        logits[frame, 0] = 0
        logits[frame, vocabulary.index(token)] = 9
    return logits.log_softmax(-1)


def says(monkeypatch: pytest.MonkeyPatch, vocabulary: list[str], tokens: dict[int, str], frames: int) -> CtcModel:
    """A model that hears `tokens`, whatever it is given: what the network does is not in question here."""
    model = CtcModel(None, None, {token: index for index, token in enumerate(vocabulary)}, 0, 320, 400)
    monkeypatch.setattr(ctc.CtcModel, "emissions", lambda self, samples: spoken(vocabulary, tokens, frames))
    return model


def test_phones_with_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    model = says(monkeypatch, PHONES, {10: "m", 20: "a", 30: "|", 40: "ʃ", 45: "iː"}, 60)
    spans = recognise_phones(model, np.zeros(60 * 320 + 80, np.float32), start=2.0)
    assert [span.text for span in spans] == ["m", "a", "ʃ", "iː"]
    for span, frame in zip(spans, (10, 20, 40, 45), strict=True):
        assert span.start == pytest.approx(2 + frame * 0.02, abs=0.03)
    assert all(one.end <= two.start + 0.021 for one, two in pairwise(spans))


def test_the_made_checkpoint_hears_phones_of_its_vocabulary(phone_model: CtcModel) -> None:
    speech = (np.random.default_rng(0).normal(size=32000) * 0.1).astype(np.float32)
    emissions = phone_model.emissions(speech)
    assert emissions.shape == (99, len(PHONES))
    torch.testing.assert_close(emissions.exp().sum(-1), torch.ones(99))
    spans = recognise_phones(phone_model, speech, start=1.0)
    assert {span.text for span in spans} <= set(PHONES[5:])
    assert all(1 <= span.start <= span.end <= 3 for span in spans)


def test_a_clip_shorter_than_one_frame_has_no_phones(phone_model: CtcModel) -> None:
    assert all(span.end <= 0.001 for span in recognise_phones(phone_model, np.zeros(10, np.float32), start=0.0))


def test_words_are_placed_letter_by_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = {10: "D", 12: "O", 14: "N", 16: "'", 18: "T", 25: "|", 40: "G", 44: "O"}
    model = says(monkeypatch, LETTERS, heard, 100)
    words = align_words(model, np.zeros(32000, np.float32), "Don't — go!", start=5.0)
    assert [word.text for word in words] == ["Don't", "—", "go!"]
    assert words[0].start == pytest.approx(5.2, abs=0.03)
    assert words[2].start == pytest.approx(5.8, abs=0.03)
    assert words[0].end <= words[1].end <= words[2].start + 1e-9
    assert words[1].start >= words[0].end - 1e-9


@pytest.mark.parametrize("text", ["", "1984", "a text that is far too long for two frames of sound"])
def test_what_cannot_be_aligned_gives_no_words(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    model = says(monkeypatch, LETTERS, {0: "A"}, 2)
    assert align_words(model, np.zeros(720, np.float32), text, 0.0) == []


def test_vocabulary_and_outputs_must_agree(tmp_path: Path) -> None:
    make_phone_model(tmp_path)
    (tmp_path / "vocab.json").write_text(
        '{"a": 0, "b": 1, "c": 2, "d": 3, "e": 4, "f": 5, "g": 6, "h": 7, "i": 8, "j": 9}'
    )
    with pytest.raises(ValueError, match=r"9 outputs.*vocab\.json.* 10"):
        load_ctc(str(tmp_path), "audio.phone_recogniser", hub=False)


def test_a_folder_without_vocabulary_is_named(tmp_path: Path) -> None:
    make_phone_model(tmp_path)
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(ValueError, match=r"audio\.word_aligner: "):
        load_ctc(str(tmp_path), "audio.word_aligner", hub=False)

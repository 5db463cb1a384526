from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from cospeech.audio import features
from cospeech.audio.features import Kind, SpeechEncoder, load_encoder
from cospeech.harness.files import source_digest
from tests.cospeech.audio.checkpoints import make_wav2vec2, make_whisper

MAKE = {"wav2vec2": make_wav2vec2, "whisper": make_whisper}


@pytest.fixture(scope="module", params=get_args(Kind))
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SpeechEncoder:
    return load_encoder(request.param, MAKE[request.param](tmp_path_factory.mktemp(request.param)), hub=False)


def noise(seconds: float) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=round(seconds * 16000)) * 0.1).astype(np.float32)


def test_one_row_a_video_frame(encoder: SpeechEncoder) -> None:
    learned = encoder.per_frame(noise(1.0), 16000, 25, 25)
    assert learned.shape == (25, 16)
    assert learned.dtype == np.float32
    assert np.isfinite(learned).all()
    assert learned.std(0).min() > 0


def test_rows_are_interpolated_at_frame_centres(encoder: SpeechEncoder) -> None:
    values, times = encoder.encode(noise(1.0), 16000)
    learned = encoder.per_frame(noise(1.0), 16000, 25, 25)
    expected = [[np.interp((t + 0.5) / 25, times, column) for column in values.T] for t in range(25)]
    np.testing.assert_allclose(learned, expected, atol=1e-5)


def test_a_frame_is_where_the_sound_is(encoder: SpeechEncoder) -> None:
    """Changing 40 ms of sound changes the rows around it most."""
    speech = noise(2.0)
    changed = speech.copy()
    changed[16000:16640] += 0.5 * np.sin(np.arange(640) * 0.3).astype(np.float32)
    change = np.abs(encoder.per_frame(changed, 16000, 50, 25) - encoder.per_frame(speech, 16000, 50, 25)).sum(1)
    assert abs(int(change.argmax()) - 25) <= 2


def test_long_recordings_go_in_chunks_without_a_seam_in_time(
    encoder: SpeechEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "OVERLAP", 6400)
    short = encoder if encoder.kind == "whisper" else SpeechEncoder(**{**vars(encoder), "chunk": 16000})
    seconds = 31.3 if encoder.kind == "whisper" else 3.3
    values, times = short.encode(noise(seconds), 16000)
    assert len(values) == len(times)
    np.testing.assert_allclose(np.diff(times), 0.02, atol=1e-9)
    assert times[0] < 0.02
    assert seconds - times[-1] < 0.04


def test_a_clip_shorter_than_one_window(encoder: SpeechEncoder) -> None:
    assert encoder.per_frame(noise(0.01), 16000, 1, 25).shape == (1, 16)


def test_wrong_family_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"audio\.features_model: .*whisper.*wav2vec2"):
        load_encoder("wav2vec2", make_whisper(tmp_path), hub=False)


def test_missing_weights_say_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"audio.features_model: 'facebook/nothing' .*audio.hub"):
        load_encoder("wav2vec2", "facebook/nothing", hub=False)


def test_hub_is_asked_only_if_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def load(source: str, local_files_only: bool) -> str:
        asked.append(local_files_only)
        return source

    from cospeech.utils.hub_weights import load_pretrained

    load_pretrained(load, "name", "audio.features_model", hub=False)
    load_pretrained(load, "name", "audio.features_model", hub=True)
    assert asked == [True, False]


def test_source_digest_follows_the_bytes_of_a_folder(tmp_path: Path) -> None:
    make_whisper(tmp_path)
    before = source_digest(str(tmp_path))
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"d_model": 16', '"d_model": 17'))
    assert source_digest(str(tmp_path)) != before
    assert source_digest("openai/whisper-tiny") == "openai/whisper-tiny"
    assert source_digest(None) is None

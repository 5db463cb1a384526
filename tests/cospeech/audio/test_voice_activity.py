import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cospeech.audio.voice_activity import load_segmentation, speech_probability, voice_per_frame
from cospeech.media import decode_speech


@pytest.fixture(scope="module")
def speech(repository: Path) -> np.ndarray:
    """(64000,) float32 at 16 kHz: 4 s of the embedded corpus."""
    clip = sorted((repository / "data/demo/clips").glob("*.mp4"))[0]
    return decode_speech(clip, 16000, 0.0, 4.0).samples


def test_speech_is_voice_and_silence_is_not(speech: np.ndarray) -> None:
    assert voice_per_frame(speech, 16000, 100, 25).mean() > 0.9
    assert voice_per_frame(np.zeros(64000, np.float32), 16000, 100, 25).max() < 0.1
    tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(64000) / 16000)
    assert voice_per_frame(tone, 16000, 100, 25).max() < 0.5


def test_speech_begins_where_it_begins(speech: np.ndarray) -> None:
    late = np.concatenate([np.zeros(3 * 16000, np.float32), speech])
    voice = voice_per_frame(late, 16000, 175, 25)
    assert voice.shape == (175,)
    assert abs(int((voice > 0.5).argmax()) - 75) <= 8  # the voice itself starts up to 0.25 s into its clip
    assert voice.min() >= 0
    assert voice.max() <= 1


def test_other_sample_rates_are_resampled(speech: np.ndarray) -> None:
    from cospeech.audio.timing import resample

    at_22050 = resample(speech, 16000, 22050)
    here, there = (voice_per_frame(each, rate, 100, 25) for each, rate in ((speech, 16000), (at_22050, 22050)))
    np.testing.assert_allclose(here, there, atol=0.1)


@pytest.mark.parametrize("samples", [1, 400, 79999, 80000, 80001, 88000, 88001])
def test_any_length_is_covered(samples: int) -> None:
    probability, times = speech_probability(load_segmentation(), np.zeros(samples, np.float32), 16000)
    assert len(probability) == len(times) >= 1
    assert np.isfinite(probability).all()
    assert samples / 16000 - times[-1] < 0.05  # no frame is centred in the last 31 ms


def test_nothing_is_unpickled_freely_or_printed(repository: Path) -> None:
    program = (
        "import sys, torch; load = torch.load\n"
        "torch.load = lambda *a, **k: k['weights_only'] is True and load(*a, **k)\n"
        "from cospeech.audio.voice_activity import load_segmentation; load_segmentation()\n"
        "assert not {'pyannote', 'whisperx', 'omegaconf'} & set(sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")

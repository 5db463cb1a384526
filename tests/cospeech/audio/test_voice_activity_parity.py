"""Our loading of the voice-activity network against whisperx's own."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from cospeech.audio.voice_activity import load_segmentation, speech_probability
from cospeech.media import decode_speech


@pytest.mark.parametrize("seconds", [3.2, 5.0, 7.7])
def test_same_probability_as_whisperx(repository: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setenv("PYANNOTE_METRICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from whisperx.vads.pyannote import load_vad_model

        pipeline = load_vad_model("cpu")
        clips = sorted((repository / "data/demo/clips").glob("*.mp4"))[:2]
        speech = np.concatenate([decode_speech(clip, 16000, 0.0, 4.0).samples for clip in clips])[
            : int(seconds * 16000)
        ]
        theirs = pipeline({"waveform": torch.from_numpy(speech)[None], "sample_rate": 16000})
    ours, times = speech_probability(load_segmentation(), speech, 16000)
    count = min(len(ours), len(theirs.data))
    assert count >= seconds / 0.016875 - 4
    np.testing.assert_allclose(ours[:count], theirs.data[:count, 0], atol=1e-4)
    middles = [theirs.sliding_window[index].middle for index in range(count)]
    np.testing.assert_allclose(times[:count], middles, atol=1e-6)

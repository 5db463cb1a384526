"""Detect voice activity with the segmentation network of the whisperx package.

whisperx loads that network through pyannote, which unpickles it without restriction, takes 10 s to import and reports
its use over the network. Here the network (PyanNet: SincNet filters, LSTM, linear layers; arXiv 2104.04045) is plain
torch and reads the same file with `weights_only=True`; classes in the file that only training needed are replaced by
inert stand-ins. tests/cospeech/audio/test_voice_activity_parity.py compares it with whisperx.

B batch, C channels, S samples, N frames of the network, K speakers, T video frames.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from asteroid_filterbanks import Encoder, ParamSincFB
from torch import nn
from torch.nn import functional as F

from cospeech.audio.timing import MODEL_RATE, frame_times, interpolate_at, resample

CHUNK = 5 * MODEL_RATE
STEP = CHUNK // 10
FRAME_STEP = 270
FRAME_SIZE = 991
"""Samples: of a chunk, between chunks, between the network's frames, of a frame's receptive field."""

_TRAINING_ONLY = (
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.listconfig.ListConfig",
    "omegaconf.nodes.AnyNode",
    "pyannote.audio.core.model.Introspection",
    "pyannote.audio.core.task.Problem",
    "pyannote.audio.core.task.Resolution",
    "pyannote.audio.core.task.Specifications",
    "torch.torch_version.TorchVersion",
    "typing.Any",
)


class _Inert:
    """Stand-in for a class named in the file; does nothing."""

    def __init__(self, *args: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _SincNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        filters = ParamSincFB(80, 251, stride=10, sample_rate=MODEL_RATE, min_low_hz=50, min_band_hz=50)
        self.wav_norm1d = nn.InstanceNorm1d(1, affine=True)
        self.conv1d = nn.ModuleList([Encoder(filters), nn.Conv1d(80, 60, 5), nn.Conv1d(60, 60, 5)])
        self.norm1d = nn.ModuleList([nn.InstanceNorm1d(width, affine=True) for width in (80, 60, 60)])

    def forward(self, speech_B1S: torch.Tensor) -> torch.Tensor:
        hidden_BCN = self.wav_norm1d(speech_B1S)
        for index, (convolve, normalise) in enumerate(zip(self.conv1d, self.norm1d, strict=True)):
            hidden_BCN = convolve(hidden_BCN)
            if index == 0:
                hidden_BCN = hidden_BCN.abs()
            hidden_BCN = F.leaky_relu(normalise(F.max_pool1d(hidden_BCN, 3)))
        return hidden_BCN


class SpeakerSegmentation(nn.Module):
    """Speaker segmentation: (B, 1, S) speech at 16 kHz -> (B, N, 3), probability that each of 3 speakers talks."""

    def __init__(self) -> None:
        super().__init__()
        self.sincnet = _SincNet()
        self.lstm = nn.LSTM(60, 128, num_layers=4, bidirectional=True, batch_first=True)
        self.linear = nn.ModuleList([nn.Linear(256, 128), nn.Linear(128, 128)])
        self.classifier = nn.Linear(128, 3)

    def forward(self, speech_B1S: torch.Tensor) -> torch.Tensor:
        hidden_BNC, _ = self.lstm(self.sincnet(speech_B1S).transpose(1, 2))
        for layer in self.linear:
            hidden_BNC = F.leaky_relu(layer(hidden_BNC))
        return self.classifier(hidden_BNC).sigmoid()


def packaged_weights() -> Path:
    """Return the path of the weights in the installed whisperx package, without importing whisperx."""
    spec = find_spec("whisperx")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "assets" / "pytorch_model.bin"


@lru_cache(maxsize=1)
def load_segmentation() -> SpeakerSegmentation:
    """Load the network, once per process."""
    inert = [(type("Inert", (_Inert,), {}), name) for name in _TRAINING_ONLY]
    allowed: list[Callable | tuple[Callable, str]] = [*inert, list, dict, int, defaultdict]
    with torch.serialization.safe_globals(allowed):
        saved = torch.load(packaged_weights(), map_location="cpu", weights_only=True)
    model = SpeakerSegmentation()
    model.load_state_dict(saved["state_dict"])
    return model.eval().requires_grad_(False)


def speech_probability(model: SpeakerSegmentation, speech: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability that anybody speaks, at the network's frames (16.9 ms apart).

    Chunks of 5 s every 0.5 s, the last one padded with silence; overlapping chunks are averaged under a Hamming window,
    as in pyannote.

    Args:
        speech: (S,) float in -1..1.

    Returns:
        Probability (N,) float32, and the centres of the frames in seconds (N,).
    """
    samples = resample(speech, rate)
    starts = range(0, max(len(samples) - CHUNK + STEP - 1, 0) // STEP * STEP + 1, STEP)
    padded = np.pad(samples, (0, max(starts[-1] + CHUNK - len(samples), 0)))
    total, weight = np.zeros(0), np.zeros(0)
    for start in starts:
        with torch.inference_mode():
            speakers_BNK = model(torch.from_numpy(padded[None, None, start : start + CHUNK].copy()))
        score = speakers_BNK[0].max(-1).values.numpy()
        first = round(start / FRAME_STEP)
        grow = max(first + len(score) - len(total), 0)
        total, weight = np.pad(total, (0, grow)), np.pad(weight, (0, grow))
        hamming = np.hamming(len(score))
        total[first : first + len(score)] += score * hamming
        weight[first : first + len(score)] += hamming
    times = (np.arange(len(total)) * FRAME_STEP + FRAME_SIZE / 2) / MODEL_RATE
    inside = max(int(np.searchsorted(times, len(samples) / MODEL_RATE)), 1)
    return (total / np.maximum(weight, 1e-12)).astype(np.float32)[:inside], times[:inside]


def voice_per_frame(speech: np.ndarray, rate: int, frames: int, fps: float) -> np.ndarray:
    """Return the probability per video frame that somebody speaks, (T,) float32 in 0..1."""
    probability, times = speech_probability(load_segmentation(), speech, rate)
    return interpolate_at(probability, times, frame_times(frames, fps))

"""Encode speech with wav2vec 2.0 (arXiv 2006.11477) or Whisper (arXiv 2212.04356): one feature per video frame.

S samples, N frames of the encoder, T video frames, D features.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from cospeech.audio.timing import MODEL_RATE, frame_times, interpolate_at, resample
from cospeech.utils.extras import require_extra
from cospeech.utils.hub_weights import load_pretrained

if TYPE_CHECKING:
    from transformers import PreTrainedModel, SequenceFeatureExtractor, Wav2Vec2Config

Kind = Literal["wav2vec2", "whisper"]
OVERLAP = 2 * MODEL_RATE
"""Samples by which chunks of a long recording overlap; a frame comes from the chunk that has most context around it."""
WAV2VEC2_CHUNK = 30 * MODEL_RATE
"""Samples of a chunk for wav2vec 2.0; Whisper's chunk is fixed by its extractor."""


@dataclass(frozen=True)
class SpeechEncoder:
    """A pretrained encoder, read at its last hidden state.

    chunk: samples encoded at once. step: samples between frames. offset: sample of the first frame's centre.
    """

    kind: Kind
    model: "PreTrainedModel"
    extractor: "SequenceFeatureExtractor"
    chunk: int
    step: int
    offset: float

    def encode(self, speech: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
        """Encode (S,) float: features (N, D) float32, and the centres of their frames in seconds (N,)."""
        samples = resample(speech, rate)
        features, times = [], []
        starts = list(range(0, max(len(samples) - OVERLAP, 1), self.chunk - OVERLAP))
        for start in starts:
            part = samples[start : start + self.chunk]
            hidden = self._encode_chunk(part)
            centres = start + self.offset + np.arange(len(hidden)) * self.step
            lowest = start + OVERLAP / 2 if start else -np.inf
            highest = (
                start + len(part) - OVERLAP / 2 if start != starts[-1] else start + max(len(part), self.offset + 1)
            )
            keep = (centres >= lowest) & (centres < highest)
            features.append(hidden[keep])
            times.append(centres[keep] / MODEL_RATE)
        return np.concatenate(features), np.concatenate(times)

    def per_frame(self, speech: np.ndarray, rate: int, frames: int, fps: float) -> np.ndarray:
        """Return features (T, D) float32 at the centres of the video frames, by linear interpolation."""
        features, times = self.encode(speech, rate)
        return interpolate_at(features, times, frame_times(frames, fps))

    @torch.inference_mode()
    def _encode_chunk(self, samples: np.ndarray) -> np.ndarray:
        inputs = self.extractor(samples, sampling_rate=MODEL_RATE, return_tensors="pt")
        if self.kind == "whisper":
            return self.model.encoder(inputs.input_features).last_hidden_state[0].numpy()
        values = inputs.input_values
        least = int(np.prod(self.model.config.conv_stride)) * 2  # less than a receptive field would give no frame
        values = torch.nn.functional.pad(values, (0, max(least - values.shape[-1], 0)))
        return self.model(values).last_hidden_state[0].numpy()


@lru_cache(maxsize=1)
def load_encoder(kind: Kind, source: str, hub: bool) -> SpeechEncoder:
    """Load a speech encoder, once per process.

    Args:
        kind: the model family that `source` must belong to.
        source: a folder or a hub name.
        hub: whether files may be downloaded.

    Raises:
        ValueError: no usable model, or one of another family.
    """
    require_extra("speech", f"audio.features: {kind}", "transformers")
    from transformers import AutoConfig, AutoFeatureExtractor, Wav2Vec2Model, WhisperModel

    key = "audio.features_model"
    config = load_pretrained(AutoConfig.from_pretrained, source, key, hub)
    if config.model_type != kind:
        raise ValueError(f"{key}: {source!r} is a {config.model_type} model, but audio.features is {kind}")
    extractor = load_pretrained(AutoFeatureExtractor.from_pretrained, source, key, hub)
    family = WhisperModel if kind == "whisper" else Wav2Vec2Model
    model = load_pretrained(family.from_pretrained, source, key, hub).eval().requires_grad_(False)
    if kind == "whisper":
        # spectrogram frames are centred on multiples of the hop; the second convolution keeps every other one
        return SpeechEncoder(kind, model, extractor, extractor.n_samples, 2 * extractor.hop_length, 0.0)
    step, field = convolution_clock(config)
    return SpeechEncoder(kind, model, extractor, WAV2VEC2_CHUNK, step, field / 2)


def convolution_clock(config: "Wav2Vec2Config") -> tuple[int, int]:
    """Return (samples between frames, receptive field of a frame in samples) of a wav2vec 2.0 model."""
    step, field = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        field += (kernel - 1) * step
        step *= stride
    return step, field

"""Extract the audio features, words and phones of one clip into the clip store, in a worker process."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from cospeech.artifacts import AudioFeatures
from cospeech.audio import ctc, features, mel, timing, transcribe, voice_activity, words
from cospeech.audio.ctc import load_ctc, recognise_phones
from cospeech.audio.features import load_encoder
from cospeech.audio.mel import log_mel
from cospeech.audio.timing import MODEL_RATE, resample
from cospeech.audio.transcribe import load_recogniser, speech_turns
from cospeech.audio.voice_activity import voice_per_frame
from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.files import code_digest, source_digest, value_digest, write_json
from cospeech.utils import hub_weights
from cospeech.utils.json_types import JSONObject

FEATURES_FILE, WORDS_FILE = "audio.safetensors", "words.json"


@dataclass(frozen=True)
class AudioSettings:
    """What to extract and with which models. hub: whether weights may be downloaded by name."""

    fps: float
    features: Literal["none", "wav2vec2", "whisper"]
    features_model: str | None
    recogniser: str | None
    language: str | None
    word_aligner: str | None
    phone_recogniser: str | None
    hub: bool

    def salt(self) -> str:
        """Return a digest of the settings, of the models in folders, and of the code."""
        sources = [self.features_model, self.recogniser, self.word_aligner, self.phone_recogniser]
        code = code_digest(ctc, features, mel, timing, transcribe, voice_activity, hub_weights, words)
        return value_digest([asdict(self), [source_digest(source) for source in sources], code])


@dataclass(frozen=True)
class AudioJob:
    """One clip to extract. recognise: whether to recognise words and phones; false if the source supplied them."""

    clip: str
    speech: Path
    frames: int
    recognise: bool
    settings: AudioSettings
    store: ClipStore
    key: str


def extract_clip(job: AudioJob) -> None:
    """Put `audio.safetensors` and `words.json` of one clip into the clip store.

    Raises:
        ValueError: a model named in the settings is absent or of another kind.
    """
    import torch

    from cospeech.media import read_speech

    torch.set_num_threads(1)
    speech, rate = read_speech(job.speech)
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / name for name in (FEATURES_FILE, WORDS_FILE)}
        audio_features(speech, rate, job.frames, job.settings).save(files[FEATURES_FILE])
        write_json(files[WORDS_FILE], recognise_clip(job.clip, speech, rate, job.settings) if job.recognise else [])
        job.store.put(job.key, files)


def audio_features(speech: np.ndarray, rate: int, frames: int, settings: AudioSettings) -> AudioFeatures:
    """Compute the features of (S,) float at `rate` Hz for `frames` video frames."""
    learned = None
    if settings.features != "none":
        assert settings.features_model is not None
        encoder = load_encoder(settings.features, settings.features_model, settings.hub)
        learned = encoder.per_frame(speech, rate, frames, settings.fps)
    return AudioFeatures(
        log_mel(speech, rate, frames, settings.fps), voice_per_frame(speech, rate, frames, settings.fps), learned
    )


def recognise_clip(clip: str, speech: np.ndarray, rate: int, settings: AudioSettings) -> list[JSONObject]:
    """Recognise words and phones with the configured models; return rows of `artifacts.Words`, maybe none."""
    found: list[JSONObject] = []
    if settings.recogniser is not None:
        pipeline = load_recogniser(settings.recogniser, settings.language, settings.hub)
        aligner = load_ctc(settings.word_aligner, "audio.word_aligner", settings.hub) if settings.word_aligner else None
        found += words.rows(clip, "word", "whisperx", transcribe.transcribe(pipeline, aligner, speech, rate))
    if settings.phone_recogniser is not None:
        model = load_ctc(settings.phone_recogniser, "audio.phone_recogniser", settings.hub)
        samples = resample(speech, rate)
        for turn in speech_turns(samples, MODEL_RATE):
            part = samples[int(turn.start * MODEL_RATE) : int(turn.end * MODEL_RATE)]
            found += words.rows(clip, "phone", "ctc", recognise_phones(model, part, turn.start))
    return found

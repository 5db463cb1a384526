"""Transcribe speech into words with times: Whisper through whisperx, then a CTC aligner if one is configured."""

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from cospeech.audio.ctc import CtcModel, align_words
from cospeech.audio.timing import MODEL_RATE, resample
from cospeech.audio.voice_activity import load_segmentation, speech_probability
from cospeech.audio.words import Span
from cospeech.utils.extras import require_extra

if TYPE_CHECKING:
    from whisperx.asr import FasterWhisperPipeline

ONSET, OFFSET = 0.5, 0.363
"""Speech begins above ONSET and ends below OFFSET; whisperx's defaults."""
PAUSE_SECONDS = 0.3
"""Shorter pauses do not end a turn."""
MAX_TURN_SECONDS = 28.0
"""A longer turn is split where speech is least likely: Whisper's window is 30 s."""


@dataclass(frozen=True)
class Turn:
    """A segment of continuous speech, in seconds."""

    start: float
    end: float


class _Recording(TypedDict):
    """As whisperx hands it to a detector of speech."""

    waveform: np.ndarray
    sample_rate: int


def speech_turns(speech: np.ndarray, rate: int) -> list[Turn]:
    """Find the segments in which somebody speaks."""
    probability, times = speech_probability(load_segmentation(), speech, rate)
    return find_turns(probability, times)


def find_turns(probability: np.ndarray, times: np.ndarray) -> list[Turn]:
    """Find turns by hysteresis over the probability of speech (N,) at `times` (N,) in seconds.

    Pauses shorter than `PAUSE_SECONDS` are bridged; turns longer than `MAX_TURN_SECONDS` are split.
    """
    half = (times[1] - times[0]) / 2 if len(times) > 1 else 0.0
    turns: list[Turn] = []
    begun: float | None = None
    for value, time in zip(probability, times, strict=True):
        if begun is None and value > ONSET:
            begun = max(float(time - half), 0.0)
        elif begun is not None and value < OFFSET:
            turns.append(Turn(begun, float(time - half)))
            begun = None
    if begun is not None:
        turns.append(Turn(begun, float(times[-1] + half)))
    joined: list[Turn] = []
    for turn in turns:
        if joined and turn.start - joined[-1].end < PAUSE_SECONDS:
            joined[-1] = Turn(joined[-1].start, turn.end)
        else:
            joined.append(turn)
    return [part for turn in joined for part in _split(turn, probability, times)]


def _split(turn: Turn, probability: np.ndarray, times: np.ndarray) -> list[Turn]:
    if turn.end - turn.start <= MAX_TURN_SECONDS:
        return [turn]
    inside = np.flatnonzero((times > turn.start + MAX_TURN_SECONDS / 2) & (times < turn.start + MAX_TURN_SECONDS))
    cut = float(times[inside[np.argmin(probability[inside])]])
    return [Turn(turn.start, cut), *_split(Turn(cut, turn.end), probability, times)]


@lru_cache(maxsize=1)
def load_recogniser(source: str, language: str | None, hub: bool) -> "FasterWhisperPipeline":
    """Load whisperx's pipeline around a Whisper model in CTranslate2 format, once per process.

    Args:
        source: a folder with model.bin, or a name that faster-whisper knows.
        language: a code such as "en", or None to detect the language of each clip.
        hub: whether files may be downloaded.

    Raises:
        ValueError: no usable model.
    """
    require_extra("speech", "audio.recogniser", "ctranslate2", "faster_whisper", "transformers")
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")  # read when pyannote is imported, by whisperx
    with _quiet():
        import whisperx
        from whisperx.vads.vad import Vad

        class _SafeVad(Vad):
            """The voice activity model of whisperx, without its unrestricted unpickling."""

            def __init__(self) -> None:
                super().__init__(ONSET)

            @staticmethod
            def preprocess_audio(audio: np.ndarray) -> np.ndarray:
                return audio

            def __call__(self, audio: _Recording) -> list[Turn]:
                return speech_turns(audio["waveform"], audio["sample_rate"])

            @staticmethod
            def merge_chunks(turns: list[Turn], chunk_size: int, onset: float, offset: float | None) -> list[dict]:
                return [{"start": turn.start, "end": turn.end} for turn in turns]

        try:
            return whisperx.load_model(
                source,
                "cpu",
                compute_type="float32",
                language=language,
                vad_model=_SafeVad(),
                local_files_only=not hub,
                threads=1,
            )
        except (RuntimeError, ValueError, OSError) as error:
            first = str(error).strip().splitlines()[0]
            raise ValueError(
                f"audio.recogniser: {source!r} holds no Whisper model in CTranslate2 format ({first}); name a folder "
                "with model.bin, or a hub name and set audio.hub: true"
            ) from error


def transcribe(
    pipeline: "FasterWhisperPipeline", aligner: CtcModel | None, speech: np.ndarray, rate: int
) -> list[Span]:
    """Return the words spoken in (S,) float at `rate` Hz, in order.

    With an aligner, whisperx's transcript of each turn is aligned letter by letter (accurate to about 20 ms). Without
    one, times come from Whisper's cross-attention (about 0.1 s).
    """
    samples = resample(speech, rate)
    if aligner is None:
        turns = [(turn, "") for turn in speech_turns(samples, MODEL_RATE)]
    else:
        segments = pipeline.transcribe(samples)["segments"]
        turns = [(Turn(segment["start"], segment["end"]), segment["text"]) for segment in segments]
    words: list[Span] = []
    for turn, text in turns:
        part = samples[int(turn.start * MODEL_RATE) : int(turn.end * MODEL_RATE)]
        words += (
            align_words(aligner, part, text, turn.start) if aligner else _attention_words(pipeline, part, turn.start)
        )
    return words


def _attention_words(pipeline: "FasterWhisperPipeline", samples: np.ndarray, start: float) -> list[Span]:
    segments, _ = pipeline.model.transcribe(
        samples,
        language=pipeline.preset_language,
        beam_size=5,
        temperature=0.0,  # no fallback to sampling: two runs give the same words
        condition_on_previous_text=False,
        word_timestamps=True,
    )
    limit = len(samples) / MODEL_RATE
    return [
        Span(word.word.strip(), start + float(word.start), start + min(float(word.end), limit))
        for segment in segments
        for word in segment.words or []
    ]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the notice that importing whisperx prints about an optional decoder."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield

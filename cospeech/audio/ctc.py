"""Recognise phones and align words with CTC models (wav2vec 2.0 with a letter or a phone vocabulary).

The trellis and its backtracking are those of whisperx.alignment. Its `align` is not used: it downloads a sentence
splitter, and its tokenizer for phone vocabularies needs eSpeak.

S samples, N frames of the model, V tokens.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from cospeech.audio.features import convolution_clock
from cospeech.audio.timing import MODEL_RATE
from cospeech.audio.words import Span
from cospeech.utils.extras import require_extra
from cospeech.utils.hub_weights import load_pretrained

if TYPE_CHECKING:
    from transformers import SequenceFeatureExtractor, Wav2Vec2ForCTC


@dataclass(frozen=True)
class CtcModel:
    """A CTC model. vocabulary: token -> index. blank: index of the blank. step, field: see `convolution_clock`."""

    model: "Wav2Vec2ForCTC"
    extractor: "SequenceFeatureExtractor"
    vocabulary: Mapping[str, int]
    blank: int
    step: int
    field: int

    @torch.inference_mode()
    def emissions(self, samples: np.ndarray) -> torch.Tensor:
        """Return log probabilities (N, V) of (S,) float32 at 16 kHz."""
        samples = np.pad(samples, (0, max(self.field - len(samples), 0)))
        inputs = self.extractor(samples, sampling_rate=MODEL_RATE, return_tensors="pt")
        return self.model(inputs.input_values).logits[0].log_softmax(-1)

    def align(self, emissions: torch.Tensor, tokens: Sequence[int]) -> list[tuple[float, float]] | None:
        """Return (start, end) of each token in seconds; None if the recording is too short for them."""
        from whisperx.alignment import backtrack, get_trellis, merge_repeats

        if not tokens or len(emissions) < len(tokens):
            return None
        path = backtrack(get_trellis(emissions, list(tokens), self.blank), emissions, list(tokens), self.blank)
        if path is None:
            return None
        spans = merge_repeats(path, list(tokens))
        if len(spans) != len(tokens):
            return None
        return [(self._edge(span.start), self._edge(span.end)) for span in spans]

    def greedy(self, emissions: torch.Tensor) -> list[int]:
        """Return the likeliest token of each frame, without repeats and blanks."""
        best = torch.unique_consecutive(emissions.argmax(-1)).tolist()
        return [index for index in best if index != self.blank]

    def _edge(self, frame: int) -> float:
        """Return the time at which a frame begins, in seconds: half a step before its centre."""
        return (self.field / 2 + (frame - 0.5) * self.step) / MODEL_RATE


def recognise_phones(model: CtcModel, samples: np.ndarray, start: float) -> list[Span]:
    """Recognise the phones in (S,) float32 at 16 kHz, which begins at `start` seconds.

    A phone ends where the next one begins. Tokens in angle or square brackets and the word delimiter are skipped.
    """
    names = {index: token for token, index in model.vocabulary.items()}
    emissions = model.emissions(samples)
    tokens = [index for index in model.greedy(emissions) if is_phone(names[index])]
    spans = model.align(emissions, tokens) or []
    limit = len(samples) / MODEL_RATE
    return [
        Span(names[token], start + min(max(begin, 0.0), limit), start + min(end, limit))
        for token, (begin, end) in zip(tokens, spans, strict=False)
    ]


def is_phone(token: str) -> bool:
    """Return whether a token is a phone, not a special token or the word delimiter."""
    return bool(token.strip("|_ ")) and not (token[0] in "<[" and token[-1] in ">]")


def align_words(model: CtcModel, samples: np.ndarray, text: str, start: float) -> list[Span]:
    """Align the words of `text` to (S,) float32 at 16 kHz, which begins at `start` seconds.

    Letters outside the vocabulary are skipped; a word without any known letter fills the gap between its neighbours.
    Return an empty list if nothing can be aligned.
    """
    known = {token.lower(): index for token, index in model.vocabulary.items()}
    words = text.split()
    letters = [(known[letter], position) for position, word in enumerate(words) for letter in _letters(word, known)]
    tokens: list[int] = []
    owners: list[int] = []
    for token, position in letters:
        if "|" in known and owners and owners[-1] != position:
            tokens.append(known["|"])
            owners.append(-1)
        tokens.append(token)
        owners.append(position)
    spans = model.align(model.emissions(samples), tokens)
    if spans is None:
        return []
    limit = len(samples) / MODEL_RATE
    found: dict[int, tuple[float, float]] = {}
    for owner, (begin, end) in zip(owners, spans, strict=True):
        if owner >= 0:
            first, _ = found.get(owner, (max(begin, 0.0), 0.0))
            found[owner] = (first, min(end, limit))
    return [Span(word, start + begin, start + end) for word, begin, end in _fill(words, found, limit)]


def _letters(word: str, known: Mapping[str, int]) -> list[str]:
    return [letter for letter in word.lower() if letter in known and (letter.isalnum() or letter == "'")]


def _fill(
    words: Sequence[str], found: Mapping[int, tuple[float, float]], limit: float
) -> list[tuple[str, float, float]]:
    filled = []
    for position, word in enumerate(words):
        before = max((end for other, (_, end) in found.items() if other < position), default=0.0)
        after = min((begin for other, (begin, _) in found.items() if other > position), default=limit)
        begin, end = found.get(position, (before, max(after, before)))
        filled.append((word, begin, end))
    return filled


@lru_cache(maxsize=2)
def load_ctc(source: str, key: str, hub: bool) -> CtcModel:
    """Load a CTC model, once per process. The vocabulary comes from vocab.json, so no tokenizer (nor eSpeak) is needed.

    Args:
        source: folder or hub name of a Wav2Vec2ForCTC.
        key: the parameter that holds `source`, for error messages.
        hub: whether files may be downloaded.

    Raises:
        ValueError: no usable model, or a vocabulary that does not fit it.
    """
    require_extra("speech", key, "transformers")
    from transformers import AutoFeatureExtractor, Wav2Vec2ForCTC
    from transformers.utils import cached_file

    model = load_pretrained(Wav2Vec2ForCTC.from_pretrained, source, key, hub).eval().requires_grad_(False)
    extractor = load_pretrained(AutoFeatureExtractor.from_pretrained, source, key, hub)
    path = load_pretrained(lambda name, **kwargs: cached_file(name, "vocab.json", **kwargs), source, key, hub)
    vocabulary = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(vocabulary, dict) or len(vocabulary) > model.config.vocab_size:
        raise ValueError(
            f"{key}: {source!r} has {model.config.vocab_size} outputs, but its vocab.json has {len(vocabulary)} tokens"
        )
    step, field = convolution_clock(model.config)
    return CtcModel(model, extractor, vocabulary, int(model.config.pad_token_id or 0), step, field)

"""CTC speech models (wav2vec 2.0 with a letter or a phone vocabulary): recognising, and aligning what is known.

The trellis and its backtracking are whisperx's (whisperx.alignment). Its `align` itself is not used: it fetches a
sentence splitter over the network, and its tokenizer for phone vocabularies needs eSpeak.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cospeech.audio.features import convolution_clock
from cospeech.audio.timing import MODEL_RATE
from cospeech.audio.words import Span
from cospeech.utils.hub_weights import load_pretrained


@dataclass(frozen=True)
class CtcModel:
    """vocabulary: token -> index. blank: index of CTC's blank. step, field: see `convolution_clock`."""

    model: Any
    extractor: Any
    vocabulary: Mapping[str, int]
    blank: int
    step: int
    field: int

    @torch.inference_mode()
    def emissions(self, samples: np.ndarray) -> torch.Tensor:
        """(S,) float32 at 16 kHz -> (N, V) log probabilities."""
        samples = np.pad(samples, (0, max(self.field - len(samples), 0)))
        inputs = self.extractor(samples, sampling_rate=MODEL_RATE, return_tensors="pt")
        return self.model(inputs.input_values).logits[0].log_softmax(-1)

    def align(self, emissions: torch.Tensor, tokens: Sequence[int]) -> list[tuple[float, float]] | None:
        """Start and end in seconds of each token in turn; None where the recording is too short to hold them."""
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
        """The likeliest token of each frame, repeats and blanks removed."""
        best = torch.unique_consecutive(emissions.argmax(-1)).tolist()
        return [index for index in best if index != self.blank]

    def _edge(self, frame: int) -> float:
        """Where frame `frame` begins: half a step before its centre."""
        return (self.field / 2 + (frame - 0.5) * self.step) / MODEL_RATE


def recognise_phones(model: CtcModel, samples: np.ndarray, start: float) -> list[Span]:
    """Phones heard in (S,) float32 at 16 kHz that begins at `start` seconds. No text is needed.

    Each phone lasts until the next one begins. Tokens in angle or square brackets and the word delimiter are no phones.
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
    return bool(token.strip("|_ ")) and not (token[0] in "<[" and token[-1] in ">]")


def align_words(model: CtcModel, samples: np.ndarray, text: str, start: float) -> list[Span]:
    """Times of the words of `text`, said in (S,) float32 at 16 kHz that begins at `start` seconds.

    Letters that the model does not know are passed over; a word without any known letter fills the gap between its
    neighbours. Where nothing can be aligned the list is empty.
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
    """Once a process. The vocabulary is read from vocab.json, so that no tokenizer (nor eSpeak) is needed.

    Args:
        source: folder or hub name of a Wav2Vec2ForCTC. key: the parameter that named it, for errors.

    Raises:
        ValueError: no such model, or one without a vocabulary.
    """
    from transformers import AutoFeatureExtractor, Wav2Vec2ForCTC
    from transformers.utils import cached_file

    model = load_pretrained(Wav2Vec2ForCTC.from_pretrained, source, key, hub).eval().requires_grad_(False)
    extractor = load_pretrained(AutoFeatureExtractor.from_pretrained, source, key, hub)
    path = load_pretrained(lambda name, **kwargs: cached_file(name, "vocab.json", **kwargs), source, key, hub)
    vocabulary = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(vocabulary, dict) or len(vocabulary) > model.config.vocab_size:
        raise ValueError(
            f"{key}: {source!r} has {model.config.vocab_size} outputs, but its vocab.json names {len(vocabulary)}"
        )
    step, field = convolution_clock(model.config)
    return CtcModel(model, extractor, vocabulary, int(model.config.pad_token_id or 0), step, field)

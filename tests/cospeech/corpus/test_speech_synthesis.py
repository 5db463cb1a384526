import numpy as np
import pytest

pytest.importorskip("espeakng_loader", reason="the optional extra 'corpus' is not installed")

from cospeech.corpus.speech_synthesis import SAMPLE_RATE, Speech, speak


@pytest.fixture(scope="module")
def speech() -> Speech:
    return speak("Bob may be part of the map.", "en-us+m3", pitch=40, rate=160)


def test_every_word_is_there_once_and_in_order(speech: Speech) -> None:
    assert " ".join(word.text for word in speech.words) == "Bob may be part of the map"
    assert all(before.end <= after.start + 1e-9 for before, after in zip(speech.words, speech.words[1:], strict=False))


def test_phones_cover_the_speech(speech: Speech) -> None:
    assert speech.phones[0].start == 0
    assert speech.phones[-1].end == pytest.approx(speech.seconds)
    for before, after in zip(speech.phones[:-1], speech.phones[1:], strict=True):
        assert before.end == pytest.approx(after.start)
    assert [phone.text for phone in speech.phones].count("b") == 3


def test_silence_is_quiet_and_speech_is_not(speech: Speech) -> None:
    lead = speech.samples[: int(0.19 * SAMPLE_RATE)]
    spoken = speech.samples[int(speech.words[0].start * SAMPLE_RATE) : int(speech.words[-1].end * SAMPLE_RATE)]
    assert np.abs(lead).max() < 1e-3
    assert spoken.std() > 0.02
    assert np.abs(speech.samples).max() <= 1


def test_the_same_every_time(speech: Speech) -> None:
    again = speak("Bob may be part of the map.", "en-us+m3", pitch=40, rate=160)
    np.testing.assert_array_equal(again.samples, speech.samples)
    assert again.phones == speech.phones


def test_unknown_voice_is_named() -> None:
    with pytest.raises(ValueError, match="no voice 'xx-nowhere'"):
        speak("Hello.", "xx-nowhere", pitch=50, rate=160)

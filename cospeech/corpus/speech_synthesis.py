"""Synthesise speech with exact phone and word times by eSpeak NG (GPL-3.0-or-later, of which only audio is shipped)."""

import ctypes
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

SAMPLE_RATE = 16000
_SYNCHRONOUS, _PHONEME_EVENTS_IPA, _NO_EXIT = 2, 0x1 | 0x2, 0x8000
_RATE, _PITCH, _PITCH_RANGE = 1, 3, 4
_UTF8 = 1
_END_OF_LIST, _WORD, _PHONEME = 0, 1, 7


@dataclass(frozen=True)
class Interval:
    """A word or a phone (IPA; empty text: silence) with start and end in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Speech:
    """Speech. samples: (S,) float64 in -1..1 at SAMPLE_RATE. phones: cover it without gaps. words: of speech only."""

    samples: np.ndarray
    phones: tuple[Interval, ...]
    words: tuple[Interval, ...]

    @property
    def seconds(self) -> float:
        """Length of the speech."""
        return len(self.samples) / SAMPLE_RATE


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class _RawEvent:
    kind: int
    seconds: float
    position: int
    length: int
    phone: str


class _Synthesizer:
    """A fresh instance of the eSpeak NG library, whose output depends slightly on what it said before."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._rate = self._library.espeak_Initialize(
            _SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _PHONEME_EVENTS_IPA | _NO_EXIT
        )
        self._pieces: list[np.ndarray] = []
        self._events: list[_RawEvent] = []
        self._callback = _Callback(self._collect)  # keep a reference: the library holds only the address
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, wave: "ctypes._Pointer[ctypes.c_short]", count: int, events: "ctypes._Pointer[_Event]") -> int:
        if count > 0 and wave:
            self._pieces.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while events[index].type != _END_OF_LIST:
            event = events[index]
            phone = ""
            if event.type == _PHONEME:
                raw = ctypes.string_at(ctypes.addressof(event.id), 8)
                phone = raw.split(b"\0")[0].decode("utf-8", "replace")
            seconds = event.audio_position / 1000
            self._events.append(_RawEvent(event.type, seconds, event.text_position, event.length, phone))
            index += 1
        return 0

    def speak(self, text: str, voice: str, pitch: int, rate: int, lead: float, tail: float) -> Speech:
        from scipy.signal import resample_poly

        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"eSpeak NG has no voice {voice!r}")
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_PITCH_RANGE, 60)):
            self._library.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode() + b"\0"
        self._library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded)), 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        spoken = resample_poly(np.concatenate(self._pieces).astype(np.float64) / 32768, SAMPLE_RATE, self._rate)
        padding = (round(lead * SAMPLE_RATE), round(tail * SAMPLE_RATE))
        seconds = len(spoken) / SAMPLE_RATE
        total = lead + seconds + tail
        phones = _phones(self._events, seconds)
        words = _words(self._events, phones, text)
        return Speech(np.pad(spoken, padding), _cover(_shifted(phones, lead), total), tuple(_shifted(words, lead)))


def speak(text: str, voice: str, pitch: int, rate: int, lead: float = 0.2, tail: float = 0.3) -> Speech:
    """Say `text` with `lead` and `tail` seconds of silence, in a new process, so that the result is always the same.

    Raises:
        ValueError: eSpeak NG has no such voice.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_speak, text, voice, pitch, rate, lead, tail).result()


def _speak(text: str, voice: str, pitch: int, rate: int, lead: float, tail: float) -> Speech:
    return _Synthesizer().speak(text, voice, pitch, rate, lead, tail)


def _phones(events: list[_RawEvent], seconds: float) -> list[Interval]:
    """Return the phones; each lasts until the next begins, and pause marks become silence."""
    starts = [event for event in events if event.kind == _PHONEME]
    ends = [event.seconds for event in starts[1:]] + [seconds]
    return [
        Interval(_clean(event.phone), event.seconds, end)
        for event, end in zip(starts, ends, strict=True)
        if end > event.seconds
    ]


def _clean(phone: str) -> str:
    """Remove stress, length and pause marks from IPA."""
    return "".join(sign for sign in phone if sign not in "ˈˌː_|:; '\u200d")


def _words(events: list[_RawEvent], phones: list[Interval], text: str) -> list[Interval]:
    """Return the words; a word ends with its last phone before the next word begins."""
    starts = [event for event in events if event.kind == _WORD]
    words = []
    for index, event in enumerate(starts):
        following = starts[index + 1] if index + 1 < len(starts) else None
        end = following.seconds if following else float("inf")
        own = [phone for phone in phones if phone.text and event.seconds - 1e-6 <= phone.start < end - 1e-6]
        if own:  # "of the" may be one event: take the text up to the next
            spelled = text[event.position - 1 : following.position - 1 if following else None]
            words.append(Interval(spelled.strip(" ,.:;?!"), own[0].start, own[-1].end))
    return words


def _shifted(intervals: list[Interval], seconds: float) -> list[Interval]:
    return [Interval(one.text, one.start + seconds, one.end + seconds) for one in intervals]


def _cover(phones: list[Interval], seconds: float) -> tuple[Interval, ...]:
    """Fill every gap from 0 to `seconds` with silence."""
    covered: list[Interval] = []
    at = 0.0
    for phone in phones:
        if phone.start > at + 1e-6:
            covered.append(Interval("", at, phone.start))
        covered.append(Interval(phone.text, at if phone.start <= at + 1e-6 else phone.start, phone.end))
        at = phone.end
    if at < seconds - 1e-6:
        covered.append(Interval("", at, seconds))
    return tuple(covered)

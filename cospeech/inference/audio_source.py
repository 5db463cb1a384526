"""A sound file of any kind and length to the voice that moves a person and the sound that goes with the video.

Both are decoded once, together, into WAV files, so that they are in step to the sample and no length fills memory.
"""

import math
import wave
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cospeech.inference.errors import InputError
from cospeech.media import Downmix, MediaError, open_media, sound_frames, sound_streams

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_SILENT = 1e-3
"""Root mean square, of full scale, that the loudest stretch of the sound must pass: -60 dB."""
_STRETCH = 0.05
"""Seconds over which loudness is told."""
_CHANNELS = 2
"""Most channels of the sound that goes with the video."""


@dataclass(frozen=True)
class Voice:
    """path: WAV, mono, 16 bit, at `rate` Hz. sound: WAV of the same moments at the source's own rate, mono or stereo.
    samples: of the voice. notes: what was changed, for the user."""

    path: Path
    sound: Path
    rate: int
    samples: int
    notes: tuple[str, ...]

    def frames(self, fps: int) -> int:
        """Of a video that lasts as long; the last one begun counts whole."""
        return math.ceil(self.samples * fps / self.rate)

    def pieces(self, samples: int) -> Iterator[np.ndarray]:
        """The voice in pieces of so many samples, (S,) float32 in -1..1; the last may be shorter."""
        with wave.open(str(self.path), "rb") as stream:
            while data := stream.readframes(samples):
                yield np.frombuffer(data, "<i2").astype(np.float32) / 32768

    def cut(self, seconds: float) -> "Voice":
        """No longer than this; both files are shortened."""
        for path in (self.path, self.sound):
            shorter = path.with_suffix(".cut.wav")
            with wave.open(str(path), "rb") as source, wave.open(str(shorter), "wb") as target:
                target.setparams(source.getparams())
                left = round(seconds * source.getframerate())
                while left > 0 and (data := source.readframes(min(left, source.getframerate()))):
                    target.writeframes(data)
                    left -= source.getframerate()
            shorter.replace(path)
        return replace(self, samples=min(self.samples, round(seconds * self.rate)))


def read_voice(path: Path, rate: int, folder: Path) -> Voice:
    """Decode the default sound track of a file into `folder`. Several channels are mixed down, other rates resampled.

    Raises:
        InputError: absent, empty, no sound in it, damaged, shorter than a frame, or silent.
    """
    import av

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes)")
    voice, sound = folder / "voice.wav", folder / "sound.wav"
    try:
        with open_media(path) as container:
            if not container.streams.audio:
                raise InputError(f"{path}: there is no sound in it")
            stream = sound_streams(container)[0]
            own, channels = stream.rate, stream.codec_context.channels
            samples, loudest = _decode(container, stream, (voice, rate), (sound, own))
    except MediaError as error:
        raise InputError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error
    except (av.error.FFmpegError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or error
        raise InputError(
            f"{path}: not sound that can be read to its end ({what}); is it damaged or cut off?"
        ) from error
    if samples < rate * _STRETCH:
        raise InputError(f"{path}: lasts {samples / rate:.3f} s; a voice of {_STRETCH} s or more is needed")
    if loudest < _SILENT:
        level = 20 * math.log10(max(loudest, 1e-10))
        raise InputError(
            f"{path}: is silent: its loudest {_STRETCH * 1000:.0f} ms have {level:.0f} dB of full scale, -60 are needed"
        )
    notes = []
    if channels > 1:
        notes.append(f"{path}: {channels} channels, mixed down for the motion")
    if own != rate:
        notes.append(f"{path}: {own} Hz, resampled to {rate} Hz for the motion")
    return Voice(voice, sound, rate, samples, tuple(notes))


def _decode(
    container: "InputContainer", stream: "AudioStream", voice: tuple[Path, int], sound: tuple[Path, int]
) -> tuple[int, float]:
    """Writes both files; samples of the voice, and the loudest stretch of it."""
    import av

    channels = min(stream.codec_context.channels, _CHANNELS)
    layouts = ("mono", "mono" if channels == 1 else "stereo")
    ways = [
        av.AudioResampler(format="s16", layout=layout, rate=rate)
        for layout, (_, rate) in zip(layouts, (voice, sound), strict=True)
    ]
    downmix = Downmix()
    meter = _Meter(round(_STRETCH * voice[1]))
    with _wav(*voice, 1) as low, _wav(*sound, channels) as full:
        for frame in _flushed(sound_frames(container, stream)):
            for part in ways[0].resample(frame and downmix.mix(frame)):
                pcm = part.to_ndarray().reshape(-1)
                low.writeframes(pcm.astype("<i2").tobytes())
                meter.add(pcm)
            for part in ways[1].resample(frame):
                full.writeframes(part.to_ndarray().reshape(-1).astype("<i2").tobytes())
    return meter.samples, meter.loudest()


def _flushed(frames: "Iterator[AudioFrame]") -> "Iterator[AudioFrame | None]":
    """None at the end makes a resampler give what it still holds."""
    yield from frames
    yield None


def _wav(path: Path, rate: int, channels: int) -> wave.Wave_write:
    stream = wave.open(str(path), "wb")  # noqa: SIM115 - the caller closes it
    stream.setnchannels(channels)
    stream.setsampwidth(2)
    stream.setframerate(rate)
    return stream


class _Meter:
    """The greatest loudness over stretches of so many samples of 16 bit."""

    def __init__(self, stretch: int) -> None:
        self.samples, self._stretch = 0, stretch
        self._loudest, self._left = 0.0, np.zeros(0)

    def add(self, pcm: np.ndarray) -> None:
        self.samples += len(pcm)
        values = np.concatenate([self._left, pcm / 32768])
        whole = len(values) // self._stretch * self._stretch
        self._measure(values[:whole].reshape(-1, self._stretch))
        self._left = values[whole:]

    def loudest(self) -> float:
        self._measure(self._left[None])
        return self._loudest

    def _measure(self, stretches: np.ndarray) -> None:
        if stretches.size:
            self._loudest = max(self._loudest, float(np.sqrt(np.square(stretches).mean(1)).max()))

"""Encode frames and their sound as one MP4 stream that plays while it is made.

Every fragment carries the times of its frames and of its sound, so the player keeps them in sync.
"""

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from cospeech.serving.fmp4 import SOUND, VIDEO, Run, Sample, fragment, header, length_prefixed

if TYPE_CHECKING:
    import av

SAMPLE_RATE = 48_000
"""Sample rate of the stream, Hz: an AAC packet (1024 samples) then lasts half a frame."""
_PACKET = 1024
_VIDEO = {
    "preset": "superfast",
    "tune": "zerolatency",  # one frame out for every frame in
    "crf": "20",
    "profile": "main",
    "x264-params": "keyint=50:scenecut=0",
}


class Mp4Stream:
    """An MP4 stream; `push` and `finish` return its next bytes."""

    def __init__(self, size: int, fps: int, origin: bytes = b"") -> None:
        """size: side of the frames, pixels, even. origin: an XMP packet that states how the video was made."""
        import av

        self._origin = origin
        self._size, self._ticks = size, SAMPLE_RATE // fps
        self._video = av.CodecContext.create("libx264", "w")
        self._video.width = self._video.height = size
        self._video.pix_fmt, self._video.thread_count = "yuv420p", 1
        self._video.framerate, self._video.time_base = Fraction(fps), Fraction(1, fps)
        self._video.options = dict(_VIDEO)
        self._sound = av.CodecContext.create("aac", "w")
        self._sound.sample_rate, self._sound.layout, self._sound.format = SAMPLE_RATE, "mono", "fltp"
        self._sound.time_base, self._sound.bit_rate = Fraction(1, SAMPLE_RATE), 96_000
        for codec in (self._video, self._sound):
            codec.flags |= av.codec.context.Flags.global_header
            codec.open()
        self._parameters = bytes(self._video.extradata or b"")
        self._rest = np.zeros(0, np.float32)
        self._frames = self._heard = self._packets = self._pieces = 0

    @property
    def mime(self) -> str:
        """MIME type for Media Source; the digits after avc1 are profile, constraints and level."""
        start = self._parameters.index(b"\0\0\1\x67") + 4  # the sequence parameter set
        return f'video/mp4; codecs="avc1.{self._parameters[start : start + 3].hex()}, mp4a.40.2"'

    def push(self, frames: np.ndarray, samples: np.ndarray) -> bytes:
        """Add frames (T, size, size, 3) uint8 RGB and samples (S,) float32 in -1..1 at SAMPLE_RATE; return bytes.

        Both continue where the last call ended; either may be empty.
        """
        return self._piece(self._pictures(frames), self._sounds(samples))

    def finish(self) -> bytes:
        """Return the bytes that the encoders still hold."""
        last = self._sounds(np.zeros(-len(self._rest) % _PACKET, np.float32))
        return self._piece(self._coded_picture(None), [*last, *self._coded_sound(None)])

    def _piece(self, pictures: list[Sample], sounds: list[Sample]) -> bytes:
        first = b"" if self._pieces else header(
            self._size, self._size, SAMPLE_RATE, self._parameters, bytes(self._sound.extradata or b""), self._origin
        )  # fmt: skip
        video = Run(VIDEO, self._frames * self._ticks, pictures)
        sound = Run(SOUND, self._packets * _PACKET, sounds)
        self._frames += len(pictures)
        self._packets += len(sounds)
        if not pictures and not sounds:
            return b""
        self._pieces += 1
        return first + fragment(self._pieces, [video, sound])

    def _pictures(self, frames: np.ndarray) -> list[Sample]:
        import av

        samples = []
        for number, frame in enumerate(frames, self._frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts = number
            samples += self._coded_picture(picture)
        return samples

    def _sounds(self, samples: np.ndarray) -> list[Sample]:
        import av

        track, packets = np.concatenate([self._rest, samples]), []
        whole = len(track) // _PACKET * _PACKET
        for start in range(0, whole, _PACKET):
            sound = av.AudioFrame.from_ndarray(track[None, start : start + _PACKET].astype(np.float32), "fltp", "mono")
            sound.sample_rate, sound.pts = SAMPLE_RATE, self._heard
            self._heard += _PACKET
            packets += self._coded_sound(sound)
        self._rest = track[whole:]
        return packets

    def _coded_picture(self, picture: "av.VideoFrame | None") -> list[Sample]:
        packets = self._video.encode(picture)
        return [Sample(length_prefixed(bytes(packet)), self._ticks, packet.is_keyframe) for packet in packets]

    def _coded_sound(self, sound: "av.AudioFrame | None") -> list[Sample]:
        """Encode without AAC's priming packet, so that both tracks start at 0; the voice fades in within 21 ms."""
        return [Sample(bytes(packet), _PACKET) for packet in self._sound.encode(sound) if (packet.pts or 0) >= 0]

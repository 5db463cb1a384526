"""Write fragmented MP4 (ISO/IEC 14496-12) with one H.264 and one AAC track, as Media Source reads it.

FFmpeg's muxer is not used: it holds every packet until the next one, and drops the second frame when every frame is a
fragment.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

VIDEO, SOUND = 1, 2
"""Track numbers."""
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_KEY, _DELTA = 0x02000000, 0x01010000
"""Sample flags: a key frame; a frame that depends on others, where playback cannot start."""
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""UUID of a box that holds XMP (XMP specification part 3, MPEG-4)."""


@dataclass(frozen=True)
class Sample:
    """One encoded frame. data: an access unit. duration: ticks. key: whether playback can start here."""

    data: bytes
    duration: int
    key: bool = True


@dataclass(frozen=True)
class Run:
    """Consecutive samples of a track. start: time of the first, ticks."""

    track: int
    start: int
    samples: Sequence[Sample]


def header(width: int, height: int, rate: int, parameters: bytes, sound_config: bytes, xmp: bytes = b"") -> bytes:
    """Return the boxes that begin a stream.

    Args:
        width, height: pixels.
        rate: ticks per second of both tracks, equal to the sample rate of the sound.
        parameters: H.264 parameter sets, each after a start code (Annex B).
        sound_config: AudioSpecificConfig of the AAC, mono.
        xmp: an XMP packet about the stream; empty: none.
    """
    video = _track(
        VIDEO, rate, b"vide", _box(b"vmhd", _FLAG, bytes(8)), _avc1(width, height, parameters), (width, height)
    )
    sound = _track(SOUND, rate, b"soun", _box(b"smhd", bytes(8)), _mp4a(rate, sound_config), (0, 0))
    times = struct.pack(">4I", 0, 0, rate, 0)
    movie = _box(
        b"mvhd", bytes(4), times, struct.pack(">IH10x", 0x10000, 0x100), _MATRIX, bytes(24), struct.pack(">I", 3)
    )
    extends = [_box(b"trex", bytes(4), struct.pack(">5I", track, 1, 0, 0, 0)) for track in (VIDEO, SOUND)]
    brands = struct.pack(">4sI4s4s4s", b"iso5", 0, b"iso5", b"iso6", b"mp41")
    about = _box(b"uuid", _XMP, xmp) if xmp else b""
    return _box(b"ftyp", brands) + about + _box(b"moov", movie, video, sound, _box(b"mvex", *extends))


def fragment(number: int, runs: Sequence[Run]) -> bytes:
    """Return a fragment. number: its sequence number, from 1."""
    runs = [run for run in runs if run.samples]
    offset = len(_moof(number, runs, 0)) + 8
    return _moof(number, runs, offset) + _box(b"mdat", *(sample.data for run in runs for sample in run.samples))


def length_prefixed(access_unit: bytes) -> bytes:
    """Convert an access unit from Annex B (start codes) to MP4's form (length prefixes)."""
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in _units(access_unit))


def _moof(number: int, runs: Sequence[Run], offset: int) -> bytes:
    parts = [_box(b"mfhd", bytes(4), struct.pack(">I", number))]
    for run in runs:
        table = b"".join(
            struct.pack(">3I", sample.duration, len(sample.data), _KEY if sample.key else _DELTA)
            for sample in run.samples
        )
        head = _box(b"tfhd", struct.pack(">2I", 0x020000, run.track))  # offsets count from the start of this moof
        time = _box(b"tfdt", struct.pack(">IQ", 0x01000000, run.start))
        trun = _box(b"trun", struct.pack(">3I", 0x000701, len(run.samples), offset), table)
        parts.append(_box(b"traf", head, time, trun))
        offset += sum(len(sample.data) for sample in run.samples)
    return _box(b"moof", *parts)


def _track(track: int, rate: int, kind: bytes, media: bytes, entry: bytes, size: tuple[int, int]) -> bytes:
    volume = 0 if kind == b"vide" else 0x100
    width, height = (side << 16 for side in size)
    head = _box(
        b"tkhd", struct.pack(">I8xI16xHHH2x", 3, track, 0, 0, volume),
        _MATRIX, struct.pack(">2I", width, height),
    )  # fmt: skip
    times = _box(b"mdhd", bytes(4), struct.pack(">4IHH", 0, 0, rate, 0, 0x55C4, 0))
    handler = _box(b"hdlr", bytes(8), kind, bytes(13))
    place = _box(b"dinf", _box(b"dref", bytes(4), struct.pack(">I", 1), _box(b"url ", _FLAG)))
    tables = [_box(name, bytes(4 + extra)) for name, extra in ((b"stts", 4), (b"stsc", 4), (b"stsz", 8), (b"stco", 4))]
    samples = _box(b"stbl", _box(b"stsd", bytes(4), struct.pack(">I", 1), entry), *tables)
    return _box(b"trak", head, _box(b"mdia", times, handler, _box(b"minf", media, place, samples)))


def _avc1(width: int, height: int, parameters: bytes) -> bytes:
    units = {unit[0] & 31: unit for unit in _units(parameters)}
    sequence, picture = units[7], units[8]
    config = struct.pack(">B3sBBH", 1, sequence[1:4], 0xFF, 0xE1, len(sequence)) + sequence
    config += struct.pack(">BH", 1, len(picture)) + picture
    shape = struct.pack(">6xH16x2H2I4xH32xHh", 1, width, height, 0x480000, 0x480000, 1, 24, -1)
    return _box(b"avc1", shape, _box(b"avcC", config))


def _mp4a(rate: int, config: bytes) -> bytes:
    decoder = struct.pack(">BB3x2I", 0x40, 0x15, 0, 0) + _descriptor(5, config)
    stream = struct.pack(">HB", SOUND, 0) + _descriptor(4, decoder) + _descriptor(6, b"\x02")
    shape = struct.pack(">6xH8x2H4xI", 1, 1, 16, rate << 16)
    return _box(b"mp4a", shape, _box(b"esds", bytes(4), _descriptor(3, stream)))


def _descriptor(tag: int, data: bytes) -> bytes:
    assert len(data) < 128
    return struct.pack(">2B", tag, len(data)) + data


def _box(kind: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def _units(stream: bytes) -> list[bytes]:
    """Split into NAL units; none ends with a zero byte."""
    return [unit for part in stream.split(b"\0\0\1") if (unit := part.rstrip(b"\0"))]


_FLAG = b"\0\0\0\1"

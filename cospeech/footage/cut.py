"""Cut a source into a clip, in a worker process: square, constant frame rate, sound aligned to the sample."""

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from cospeech.footage import crop
from cospeech.footage.crop import Crop, find_crop, shows_face
from cospeech.footage.storage import Storage
from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.files import code_digest, file_digest, value_digest, write_json
from cospeech.media import (
    MediaError,
    SourceInfo,
    container,
    decode_speech,
    downmix,
    iter_constant_rate,
    picture,
    probe,
    sample_frames,
    sound,
    video,
    write_speech,
    write_video,
)
from cospeech.pose import track
from cospeech.pose.track import join_tracks
from cospeech.utils.ffmpeg import find_ffmpeg

VIDEO, SPEECH, FACTS = "video.mp4", "speech.wav", "facts.json"
CUT_FACTS = (
    *("sha256", "width", "height", "fps", "seconds", "crop_x", "crop_y", "crop_size"),
    *("frames", "samples", "notes", "ffmpeg"),
)
_SAMPLED_FRAMES = 12
_BLACK = 24
"""Of 255: compression leaves a black picture darker."""
_DECODED_SHARE = 0.9
"""Least share of the source's length that must be decodable."""
_SPEAKER_SHARE = 0.25
"""Least share of the sampled frames that must show a speaker: detectors sometimes see a person in a pattern."""


@dataclass(frozen=True)
class CutSettings:
    """fps: of the clip. size: side of the square, pixels. sample_rate: Hz."""

    fps: int
    size: int
    sample_rate: int


def salt(settings: CutSettings) -> str:
    """Return a digest of all that determines a clip, except the source and the ffmpeg."""
    code = code_digest(sys.modules[__name__], container, crop, downmix, picture, sound, track, video)
    return value_digest({"settings": asdict(settings), "code": code})


@dataclass(frozen=True)
class CutJob:
    """One source to cut. clip: its uri. ffmpeg: the binary to encode with; None: the pinned one."""

    clip: str
    storage: Storage
    settings: CutSettings
    store: ClipStore
    ffmpeg: Path | None = None


@dataclass(frozen=True)
class CutResult:
    """A finished clip. key: of the clip store. reused: whether the store had it already."""

    key: str
    reused: bool


@dataclass(frozen=True)
class Refused:
    """A source that cannot become a clip. sha256: of the source. reason: as shown in the ledger."""

    sha256: str
    reason: str


def cut_clip(job: CutJob) -> CutResult | Refused:
    """Cut a source and put its clip into the store, unless it is there.

    Raises:
        StorageError: the source cannot be read.
    """
    version = find_ffmpeg(job.ffmpeg).version
    key = job.store.key(job.storage.fingerprint(job.clip), version)
    with TemporaryDirectory(prefix="cospeech-") as scratch:
        files = {name: Path(scratch) / name for name in (VIDEO, SPEECH, FACTS)}
        if job.store.fetch(key, files):
            return CutResult(key, reused=True)
        with job.storage.fetch(job.clip) as source:
            digest = file_digest(source)
            try:
                facts = _cut(source, job.settings, files, job.ffmpeg)
            except ValueError as error:
                return Refused(digest, str(error))
        write_json(files[FACTS], {"sha256": digest, **facts, "ffmpeg": version})
        job.store.put(key, files)
    return CutResult(key, reused=False)


def _cut(source: Path, settings: CutSettings, files: dict[str, Path], binary: Path | None) -> dict[str, object]:
    info = probe(source)
    if not info.audio:
        raise MediaError("no audio stream: a clip needs the speaker's voice")
    square = _speaker(source, info)
    frames = brightest = 0

    def cropped() -> Iterator[np.ndarray]:
        nonlocal frames, brightest
        for frame in iter_constant_rate(source, settings.fps):
            frames += 1
            small = _resize(square.cut(frame), settings.size)
            brightest = max(brightest, int(small.max()))
            yield small

    write_video(files[VIDEO], cropped(), settings.fps, binary=binary)
    seconds = frames / settings.fps
    if seconds < _DECODED_SHARE * info.seconds:
        raise MediaError(
            f"damaged or truncated: no picture for {info.seconds - seconds:.2f} s; only {seconds:.2f} s of "
            f"{info.seconds:.2f} s could be decoded"
        )
    if brightest < _BLACK:
        raise MediaError(f"black: nothing is visible in any of its {frames} frames")
    speech = decode_speech(source, settings.sample_rate, info.start, seconds)
    write_speech(files[SPEECH], speech.samples, settings.sample_rate)
    return {
        "width": info.width,
        "height": info.height,
        "fps": info.fps,
        "seconds": info.seconds,
        "crop_x": square.x,
        "crop_y": square.y,
        "crop_size": square.size,
        "frames": frames,
        "samples": len(speech.samples),
        "sample_rate": settings.sample_rate,
        "notes": "; ".join(speech.notes) or None,
    }


def _speaker(source: Path, info: SourceInfo) -> Crop:
    """Find the speaker's square; a square video counts as framed already."""
    if info.width == info.height:
        return Crop(0, 0, info.width)
    sampled = sample_frames(source, _SAMPLED_FRAMES)
    if not sampled:
        raise MediaError(f"no picture for {info.seconds:.2f} s: nothing follows the first frame")
    if max(int(frame.max()) for frame in sampled) < _BLACK:
        raise MediaError(f"black: nothing is visible in {len(sampled)} sampled frames")
    found = [_detector().detect_image(frame) for frame in sampled]
    people = [person for person in found if person is not None and shows_face(person)[0]]
    if len(people) < max(1, _SPEAKER_SHARE * len(found)):
        raise MediaError(
            f"no speaker: a person with a face is visible in {len(people)} of {len(found)} sampled frames of "
            f"{info.width} x {info.height} pixels; at least {_SPEAKER_SHARE:.0%} must show one"
        )
    return find_crop(join_tracks(people))


@cache
def _detector():  # type: ignore[no-untyped-def]  # the detector's library is heavy and loaded once per worker
    from cospeech.pose.detectors import build_detector

    return build_detector("mediapipe")


def _resize(image: np.ndarray, size: int) -> np.ndarray:
    if image.shape[0] == size:
        return image
    interpolation = cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_CUBIC
    return cv2.resize(image, (size, size), interpolation=interpolation)

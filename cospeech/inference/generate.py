"""Files to a file: a voice and a picture, or a voice, a picture and a clip to move like, to an mp4 with its origin."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import torch
from tqdm import tqdm

from cospeech.harness.files import atomic_path, file_digest, folder_digest
from cospeech.inference.audio_source import Voice, read_voice
from cospeech.inference.conditioning import Person
from cospeech.inference.driving_video import read_driver
from cospeech.inference.errors import InputError, checking_input
from cospeech.inference.portrait import read_portrait
from cospeech.inference.speaker import Speaker, load
from cospeech.media import write_video
from cospeech.pose.mediapipe import MediaPipeDetector, MediaPipeOptions
from cospeech.provenance.identity import Identity
from cospeech.provenance.video import GENERATED, sign_file
from cospeech.utils.json_types import JSONObject


@dataclass(frozen=True)
class Request:
    """What to draw, and where to. model: folder of an export. pose: a clip to move like; None: the voice moves."""

    audio: Path
    image: Path
    out: Path
    model: Path
    pose: Path | None = None
    seed: int = 0
    device: torch.device | str = "cpu"


class Bar(Protocol):
    def update(self, n: int = 1) -> object: ...


Progress = Callable[[int], AbstractContextManager[Bar]]
"""Frames in all -> a bar."""


@dataclass(frozen=True)
class _Cast:
    """What was given, found good. moves: (T, 133, 2) in pixels of the person's picture; None: the voice moves."""

    speaker: Speaker
    person: Person
    voice: Voice
    moves: np.ndarray | None

    @property
    def frames(self) -> int:
        frames = self.voice.frames(self.speaker.settings.fps)
        return frames if self.moves is None else min(frames, len(self.moves))

    def cut(self) -> "_Cast":
        """The voice no longer than the moves."""
        if self.moves is None:
            return self
        return replace(self, voice=self.voice.cut(len(self.moves) / self.speaker.settings.fps))


def _no_bar(frames: int) -> AbstractContextManager[Bar]:
    return tqdm(total=frames, disable=True)


def generate(
    request: Request,
    identity: Identity | None = None,
    progress: Progress = _no_bar,
    tell: Callable[[str], None] = warnings.warn,
) -> int:
    """Write the video and count its frames, in memory that does not depend on its length.

    Args:
        request: what to draw, and where to.
        identity: signs it; None: unsigned.
        progress: opens a bar for so many frames.
        tell: gets notes on what was changed of the input.

    Raises:
        InputError: something given cannot be used; nothing was written.
    """
    if not request.out.parent.is_dir():
        raise InputError(f"{request.out}: there is no folder {request.out.parent}; make it, or name another")
    if request.out.suffix.lower() != ".mp4":
        raise InputError(f"{request.out}: videos are written as mp4, so the name must end with .mp4")
    with TemporaryDirectory(prefix="cospeech-") as folder:
        cast = _read(request, Path(folder))
        for note in (*cast.voice.notes, *_lengths(request, cast)):
            tell(note)
        cast = cast.cut()
        with progress(cast.frames) as bar, atomic_path(request.out) as draft:
            settings = cast.speaker.settings
            write_video(draft, _counted(_frames(cast, request.seed), bar), settings.fps, cast.voice.sound)
            if identity is not None:
                sign_file(draft, identity, GENERATED, _claims(request))
    return cast.frames


def _read(request: Request, folder: Path) -> _Cast:
    """Cheap checks first."""
    for path in (request.image, *([request.pose] if request.pose else [])):
        if not path.is_file():
            raise InputError(f"{path}: no such file")
    with checking_input():
        speaker = load(request.model, request.device)
        if speaker.models.motion is None and request.pose is None:
            raise InputError(f"{request.model}: has no motion model, so that a voice cannot move anybody; give --pose")
    settings = speaker.settings
    voice = read_voice(request.audio, settings.sample_rate, folder)
    detector = MediaPipeDetector(MediaPipeOptions())
    try:
        person = read_portrait(request.image, detector).resized(settings.size)
        moves = None if request.pose is None else read_driver(request.pose, settings.fps, detector, person)
    finally:
        detector.close()
    return _Cast(speaker, person, voice, moves)


def _lengths(request: Request, cast: _Cast) -> list[str]:
    if cast.moves is None:
        return []
    fps = cast.speaker.settings.fps
    clip, sound = len(cast.moves) / fps, cast.voice.frames(fps) / fps
    if abs(clip - sound) < 1 / fps:
        return []
    return [f"{request.pose} lasts {clip:.2f} s, {request.audio} {sound:.2f} s: the video lasts as long as the shorter"]


def _frames(cast: _Cast, seed: int) -> Iterator[np.ndarray]:
    settings = cast.speaker.settings
    if cast.moves is None:
        with cast.speaker.start(cast.person, seed) as session:
            for samples in cast.voice.pieces(settings.sample_rate // settings.fps):
                yield from session.push(samples)
            yield from session.finish()
        return
    with cast.speaker.follow(cast.person, seed) as animation:
        for moved in cast.moves[: cast.frames]:
            animation.push(cast.person.moving(moved[None]))
            yield from animation.take()
        yield from animation.finish()


def _counted(frames: Iterator[np.ndarray], bar: Bar) -> Iterator[np.ndarray]:
    for frame in frames:
        yield frame
        bar.update(1)


def _claims(request: Request) -> JSONObject:
    """What drew the video, from whose picture, and what moved it."""
    parts = sorted(path.name for path in request.model.iterdir() if (path / "config.json").is_file())
    claims: JSONObject = {
        "models": {part: folder_digest(request.model / part) for part in parts},
        "reference": {"clip": request.image.name, "sha256": file_digest(request.image)},
        "voice": {"file": request.audio.name, "sha256": file_digest(request.audio)},
        "seed": request.seed,
    }
    if request.pose is not None:
        claims["motion"] = {"file": request.pose.name, "sha256": file_digest(request.pose)}
    return claims

"""What is measured: stretches of held-out clips, and takes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cospeech.artifacts import AudioFeatures, Curated, Words
from cospeech.datasets.windows import Clip, middle_window
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames, read_speech
from cospeech.metric_networks.lipsync import Sound
from cospeech.pose.track import PoseTrack

SPLITS = ("seen", "unseen")
TRUTH = "ground_truth"
"""The model that real footage goes by."""
REFERENCE = 0
"""The frame of a clip that everything is drawn from."""


@dataclass(frozen=True)
class Stretch:
    """Frames `start` to `stop` of a held-out clip as they really are.

    frames: (T, H, W, 3) uint8. track: of these frames. phones: (text, start, end), seconds of the clip.
    sound: of the whole clip. reference: the frame it is drawn from. seen: the person occurs in training.
    """

    clip: str
    speaker: str
    seen: bool
    start: int
    stop: int
    fps: int
    frames: np.ndarray
    track: PoseTrack
    phones: Sequence[tuple[str, float, float]]
    sound: Sound
    reference: np.ndarray

    @property
    def split(self) -> str:
        return SPLITS[0] if self.seen else SPLITS[1]


@dataclass(frozen=True)
class Take:
    """The same stretch as a model makes it; keypoints are found in its frames. close_up: face and hands, looked for
    where the stretch has them; None where nobody looked."""

    model: str
    frames: np.ndarray
    track: PoseTrack
    close_up: PoseTrack | None = None

    @property
    def real(self) -> bool:
        """The footage itself."""
        return self.model == TRUTH


def load_stretches(
    workspace: Workspace, curated: Curated, clips: Sequence[Clip], frames: int, fps: int
) -> list[Stretch]:
    """The middle `frames` of every clip.

    Raises:
        ValueError: the artifacts of a clip differ in length.
    """
    words, people = Words.load(workspace.words), curated.seen_speakers()
    return [_stretch(workspace, words, clip, clip.speaker in people, frames, fps) for clip in clips]


def _stretch(workspace: Workspace, words: Words, clip: Clip, seen: bool, count: int, fps: int) -> Stretch:
    frames, sound = read_frames(workspace.video(clip.clip)), load_sound(workspace, clip.clip)
    if not len(frames) == len(clip) == len(sound.mel):
        raise ValueError(
            f"{clip.clip}: {len(frames)} frames, latents of {len(clip)}, sound of {len(sound.mel)}; run dvc repro"
        )
    part = middle_window(clip, count).frames
    phones = words.of(clip.clip, "phone")
    return Stretch(
        clip=clip.clip,
        speaker=clip.speaker,
        seen=seen,
        start=part.start,
        stop=part.stop,
        fps=fps,
        frames=frames[part],
        track=clip.track[part],
        phones=list(zip(phones["text"], phones["start"], phones["end"], strict=True)),
        sound=sound,
        reference=frames[REFERENCE],
    )


def load_sound(workspace: Workspace, clip: str) -> Sound:
    samples, rate = read_speech(workspace.speech(clip))
    return Sound(AudioFeatures.load(workspace.audio(clip)).mel, samples, rate)

"""Does a long talk drift? Three minutes of held-out speech; the last ten seconds against the first ten.

Every half minute, and at the end, the voice of the first ten seconds is heard again, so that those stretches say the
same. What still sets them apart is where the head is, and how long the talk has lasted. To tell these from each other,
each stretch is also drawn anew, from the same keypoints, by a stream that begins with it.

Measured on the frames drawn, by the detector that measures footage: LMD of the mouth against the keypoints that drove
it, identity against the picture (cosine of the codec's features of the aligned face, without the mean over the corpus'
people; the demo has no face recogniser), colour of the background. Differences, last minus first and last minus last
drawn anew, with the 95 % interval by bootstrap: over the ten pairs of seconds of one talk, over the talks if there are
several (`--talks`, each with a seed of its own). Seconds that follow each other are alike, as the head is where it was,
so the interval of one talk is too narrow. Memory: of the process and of the keys and values kept, every half minute.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from benchmarks.realtime import held_out, pieces
from stages.lib.artifacts import Curated, Poses
from stages.lib.audio.mel import LogMelStream
from stages.lib.files import write_json
from stages.lib.media import contact_sheet, iter_frames, save_png
from stages.lib.metrics.lips import lmd
from stages.lib.metrics.uncertainty import Estimate, paired_difference
from stages.lib.motion import MotionStream
from stages.lib.nets.codec import Codec
from stages.lib.nets.face import align_faces
from stages.lib.pixels import to_tensor
from stages.lib.pose.mediapipe import MediaPipeDetector, MediaPipeOptions
from stages.lib.speaker import Person, Speaker, load
from stages.lib.talking.align import Fit
from stages.lib.talking.models import Models
from stages.lib.workspace import Workspace

ROOT = Path(__file__).parents[1]
WINDOW = 10
"""Seconds compared."""
_CORNER = 24
"""Pixels a side of the upper corners, which show nothing but background."""
Values = dict[str, np.ndarray]
"""By measure, of each frame."""


@dataclass(frozen=True)
class Drawn:
    """A stretch of a talk. frames: (T, H, W, 3) uint8. drove: (T, 133, 2) keypoints, pixels."""

    frames: np.ndarray
    drove: np.ndarray


@dataclass(frozen=True)
class Told:
    """A talk. within: its stretches. anew: the same, each by a stream that begins with it. memory: on the way."""

    within: list[Drawn]
    anew: list[Drawn]
    memory: list[dict[str, int]]


def times(seconds: int) -> list[int]:
    """Seconds at which the stretches begin: one every half minute, and the last ends with the talk."""
    return [*range(0, seconds - 2 * WINDOW + 1, 30), seconds - WINDOW]


def gestures(speaker: Speaker, person: Person, speech: np.ndarray, seed: int) -> np.ndarray:
    """(T, 133, 2) keypoints of the whole talk, pixels of the person's picture."""
    settings, model = speaker.settings, speaker.models.motion
    assert model is not None
    ear, rest = LogMelStream(settings.sample_rate, settings.fps), np.array(settings.rest, np.float32)
    motion, fit = MotionStream(model, rest, settings.motion_steps, seed), Fit(person.keypoints, rest)
    moved = [motion.push(ear.push(piece)) for piece in pieces(speech, settings.sample_rate)]
    return np.concatenate([fit(each) for each in (*moved, motion.push(ear.finish()), motion.finish())])


def talk(speaker: Speaker, person: Person, speech: np.ndarray, seed: int) -> Told:
    settings, still, process = speaker.settings, person.resized(speaker.settings.size), psutil.Process()
    drove, fps = gestures(speaker, still, speech, seed), settings.fps
    spans = [(begin * fps, (begin + WINDOW) * fps) for begin in times(len(speech) // settings.sample_rate)]
    kept: list[list[np.ndarray]] = [[] for _ in spans]
    memory: list[dict[str, int]] = []
    shown = 0
    with speaker.follow(person, seed) as animation:
        for begin in range(0, len(drove), fps):
            piece = drove[begin : begin + fps]
            animation.push(piece, np.repeat(still.confidence[None], len(piece), 0))
            last = begin + fps >= len(drove)
            for frame in animation.finish() if last else animation.take():
                for frames, (start, stop) in zip(kept, spans, strict=True):
                    if start <= shown < stop:
                        frames.append(frame)
                shown += 1
            if (begin // fps + 1) % 30 == 0:
                taken = {"process": process.memory_info().rss, "kept": animation.memory_bytes()}
                memory.append({"seconds": begin // fps + 1, **taken})
    parts = [drove[slice(*span)] for span in spans]
    within = [Drawn(np.stack(frames), part) for frames, part in zip(kept, parts, strict=True)]
    return Told(within, [anew(speaker, person, part, seed) for part in parts], memory)


def anew(speaker: Speaker, person: Person, drove: np.ndarray, seed: int) -> Drawn:
    confidence = person.resized(speaker.settings.size).confidence
    with speaker.follow(person, seed) as animation:
        animation.push(drove, np.repeat(confidence[None], len(drove), 0))
        return Drawn(animation.finish(), drove)


def face_features(codec: Codec, frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """(T, D): the codec's encoder on each aligned face."""
    with torch.no_grad():
        detail, _ = codec.encode_features(align_faces(to_tensor(frames), keypoints / frames.shape[1]))
    return detail.flatten(1).numpy()


def mean_face(codec: Codec, workspace: Workspace) -> np.ndarray:
    """(D,): over the first frames of all kept clips."""
    table = Curated.load(workspace.curated).table
    clips = table[table["kept"]]["clip"].tolist()
    frames = np.stack([next(iter_frames(workspace.video(clip))) for clip in clips])
    keypoints = np.stack([Poses.load(workspace.poses(clip)).keypoints[0] for clip in clips])
    return face_features(codec, frames, keypoints).mean(0)


def codec_of(speaker: Speaker) -> Codec:
    """Its features tell faces apart."""
    if not isinstance(speaker.models, Models):
        raise SystemExit("drift is measured with the embedded codec's features, and this is an export of Wan's")
    return speaker.models.codec


def measure(speaker: Speaker, person: Person, drawn: Drawn, mean: np.ndarray) -> Values:
    """Of each frame."""
    still = person.resized(speaker.settings.size)
    found = MediaPipeDetector(MediaPipeOptions()).detect_video(drawn.frames)
    seen = np.repeat(still.confidence[None], len(found.keypoints), 0)
    codec = codec_of(speaker)
    own = face_features(codec, still.picture[None], still.keypoints[None])[0] - mean
    features = face_features(codec, drawn.frames, found.keypoints) - mean
    cosine = features @ own / np.linalg.norm(features, axis=1) / np.linalg.norm(own)
    corners = np.concatenate([drawn.frames[:, :_CORNER, :_CORNER], drawn.frames[:, :_CORNER, -_CORNER:]], 2)
    true = np.concatenate([still.picture[:_CORNER, :_CORNER], still.picture[:_CORNER, -_CORNER:]], 1)
    colour = np.abs(corners.mean((1, 2)) - true.mean((0, 1))).mean(1)
    return {
        "lmd": lmd(found.keypoints, found.confidence, drawn.drove, seen),
        "identity": cosine,
        "background": colour,
    }


def compare(before: Sequence[Values], after: Sequence[Values], frames: int) -> dict[str, Any]:
    """Over all talks. frames: of what is taken as one observation, a second or a talk."""
    table = {}
    for name in before[0]:
        old, new = (
            np.nanmean(np.concatenate([each[name] for each in values]).reshape(-1, frames), axis=1)
            for values in (before, after)
        )
        difference: Estimate | None = paired_difference(new, old, np.ones(len(old)), 0)
        assert difference is not None
        table[name] = {"before": float(old.mean()), "after": float(new.mean()), "difference": asdict(difference)}
    return table


def by_time(
    begins: Sequence[int], within: Sequence[list[Values]], anew: Sequence[list[Values]]
) -> list[dict[str, Any]]:
    """Mean LMD of every stretch, a list over the talks."""
    return [
        {
            "seconds": begin,
            "lmd": [float(np.nanmean(talk[index]["lmd"])) for talk in within],
            "lmd_anew": [float(np.nanmean(talk[index]["lmd"])) for talk in anew],
        }
        for index, begin in enumerate(begins)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--talks", type=int, default=1, help="of the same speech, each with a seed of its own")
    parser.add_argument("--seed", type=int, default=0, help="of the first talk")
    parser.add_argument("--root", type=Path, default=ROOT, help="project with data/ and models/export")
    options = parser.parse_args()
    if options.seconds < 2 * WINDOW:
        parser.error(f"--seconds {options.seconds}: the first and the last {WINDOW} seconds would overlap")
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    workspace = Workspace(options.root)
    speaker = load(workspace.model("export"))
    person, speech, rate = held_out(workspace, options.seconds)
    begins = times(options.seconds)
    for begin in begins:
        speech[begin * rate : (begin + WINDOW) * rate] = speech[: WINDOW * rate]
    fps, mean = speaker.settings.fps, mean_face(codec_of(speaker), workspace)
    told = [talk(speaker, person, speech, seed) for seed in range(options.seed, options.seed + options.talks)]
    within = [[measure(speaker, person, each, mean) for each in made.within] for made in told]
    fresh = [[measure(speaker, person, each, mean) for each in made.anew] for made in told]
    one = fps if options.talks == 1 else WINDOW * fps
    last = [values[-1] for values in within]
    found = {
        "seconds": options.seconds,
        "last_minus_first": compare([values[0] for values in within], last, one),
        "last_minus_anew": compare([values[-1] for values in fresh], last, one),
        "by_time": by_time(begins, within, fresh),
        "memory": [made.memory for made in told],
    }
    write_json(ROOT / "reports/benchmarks/drift.json", found)
    rows = np.concatenate([made.within[index].frames[:: fps * 2] for made in told for index in (0, -1)])
    save_png(ROOT / "reports/benchmarks/drift.png", contact_sheet(rows, WINDOW // 2))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

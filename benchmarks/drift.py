"""Does a long talk drift? Three minutes of held-out speech; the last ten seconds against the first ten.

The last ten seconds are spoken with the voice of the first, so that both say the same. Measured on the frames drawn, by
the detector that measures footage: LMD of the mouth against the keypoints that drove it, identity against the picture
(cosine of the codec's features of the aligned face, without the mean over the corpus' people; the demo has no face
recogniser), colour of the background. Differences, last minus first, with the 95 % interval by bootstrap: over the ten
pairs of seconds of one talk, over the talks if there are several (`--talks`, each with a seed of its own). Seconds that
follow each other are alike, as the head is where it was, so the interval of one talk is too narrow. Memory: of the
process and of the keys and values kept, after each half minute.
"""

import argparse
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
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


def talk(speaker: Speaker, person: Person, speech: np.ndarray, seed: int) -> dict[str, Any]:
    """What drove it, keypoints (T, 133, 2); frames of the first and the last seconds; memory on the way."""
    settings, model = speaker.settings, speaker.models.motion
    assert model is not None
    still = person.resized(settings.size)
    ear = LogMelStream(settings.sample_rate, settings.fps)
    rest = np.array(settings.rest, np.float32)
    motion = MotionStream(model, rest, settings.motion_steps, seed)
    fit, process, kept = Fit(still.keypoints, rest), psutil.Process(), WINDOW * settings.fps
    drove: list[np.ndarray] = []
    first: list[np.ndarray] = []
    last: deque[np.ndarray] = deque(maxlen=kept)
    memory: list[dict[str, int]] = []
    with speaker.follow(person, seed) as animation:

        def show(frames: np.ndarray) -> None:
            first.extend(frames[: max(0, kept - len(first))])
            last.extend(frames)

        def move(keypoints: np.ndarray) -> None:
            fitted = fit(keypoints)
            drove.append(fitted)
            animation.push(fitted, np.repeat(still.confidence[None], len(fitted), 0))
            show(animation.take())

        for index, piece in enumerate(pieces(speech, settings.sample_rate)):
            move(motion.push(ear.push(piece)))
            if (index + 1) % 30 == 0:
                taken = {"process": process.memory_info().rss, "kept": animation.memory_bytes()}
                memory.append({"seconds": index + 1, **taken})
        move(motion.push(ear.finish()))
        move(motion.finish())
        show(animation.finish())
    return {"drove": np.concatenate(drove), "first": np.stack(first), "last": np.stack(last), "memory": memory}


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


def measure(speaker: Speaker, person: Person, made: dict[str, Any], mean: np.ndarray) -> dict[str, np.ndarray]:
    """Values of each frame of a stretch: frames and what drove them."""
    still = person.resized(speaker.settings.size)
    found = MediaPipeDetector(MediaPipeOptions()).detect_video(made["frames"])
    seen = np.repeat(still.confidence[None], len(found.keypoints), 0)
    codec = codec_of(speaker)
    own = face_features(codec, still.picture[None], still.keypoints[None])[0] - mean
    features = face_features(codec, made["frames"], found.keypoints) - mean
    cosine = features @ own / np.linalg.norm(features, axis=1) / np.linalg.norm(own)
    corners = np.concatenate([made["frames"][:, :_CORNER, :_CORNER], made["frames"][:, :_CORNER, -_CORNER:]], 2)
    true = np.concatenate([still.picture[:_CORNER, :_CORNER], still.picture[:_CORNER, -_CORNER:]], 1)
    colour = np.abs(corners.mean((1, 2)) - true.mean((0, 1))).mean(1)
    return {
        "lmd": lmd(found.keypoints, found.confidence, made["drove"], seen),
        "identity": cosine,
        "background": colour,
    }


def joined(measured: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([each[name] for each in measured]) for name in measured[0]}


def means(values_T: np.ndarray, frames: int) -> np.ndarray:
    """Of so many frames each."""
    return np.nanmean(values_T.reshape(-1, frames), axis=1)


def compare(first: dict[str, np.ndarray], last: dict[str, np.ndarray], frames: int) -> dict[str, Any]:
    """frames: of what is taken as one observation, a second or a talk."""
    table = {}
    for name in first:
        before, after = (means(values[name], frames) for values in (first, last))
        difference: Estimate | None = paired_difference(after, before, np.ones(len(before)), 0)
        assert difference is not None
        table[name] = {"first": float(before.mean()), "last": float(after.mean()), "difference": asdict(difference)}
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--talks", type=int, default=1, help="of the same speech, each with a seed of its own")
    parser.add_argument("--seed", type=int, default=0, help="of the first talk")
    parser.add_argument("--root", type=Path, default=ROOT, help="project with data/ and models/export")
    options = parser.parse_args()
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    workspace = Workspace(options.root)
    speaker = load(workspace.model("export"))
    person, speech, rate = held_out(workspace, options.seconds)
    speech[-WINDOW * rate :] = speech[: WINDOW * rate]
    fps, mean = speaker.settings.fps, mean_face(codec_of(speaker), workspace)
    made = [talk(speaker, person, speech, seed) for seed in range(options.seed, options.seed + options.talks)]
    first, last = (
        joined([measure(speaker, person, {"frames": each[name], "drove": each["drove"][part]}, mean) for each in made])
        for name, part in (("first", slice(0, WINDOW * fps)), ("last", slice(-WINDOW * fps, None)))
    )
    memory = [each["memory"] for each in made]
    one = fps if options.talks == 1 else WINDOW * fps
    found = {"seconds": options.seconds, "measures": compare(first, last, one), "memory": memory}
    write_json(ROOT / "reports/benchmarks/drift.json", found)
    rows = np.concatenate([each[name][:: fps * 2] for each in made for name in ("first", "last")])
    save_png(ROOT / "reports/benchmarks/drift.png", contact_sheet(rows, WINDOW // 2))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

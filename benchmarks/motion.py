"""Two questions about drawn motion that held-out clips must not answer.

How large should the noise be that gestures are drawn from (`motion.liveliness`)? The last third of the training people
is left out, a model is trained on the others, and draws the clips of those left out at several sizes: FGD, diversity
and the speed of the hands against theirs, mean over seeds. The size with the least FGD is `best`.

Do bodies drift? models/motion draws minutes of the training people's speech. In every half minute, by seed: mean height
of each hand over the middle of the shoulders, in shoulder widths, up positive; root mean square of how far body, upper
face and lids are from the reference, in the units of `cospeech.motion.representation`. Beside them what training clips
have.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cospeech.artifacts import Curated
from cospeech.config import Params, load_params
from cospeech.datasets.motion_clips import MovingClip, load_moving
from cospeech.harness.context import Context
from cospeech.harness.files import write_json
from cospeech.harness.process_pool import process_pool
from cospeech.harness.progress import no_progress
from cospeech.harness.workspace import Workspace
from cospeech.motion.model import MotionModel
from cospeech.motion.representation import BODY, LIDS, offsets
from cospeech.motion.stream import draw_motion
from cospeech.motion_evaluation.gesture_metrics import gesture_points, gesture_tables, train_encoder
from cospeech.pose import skeleton as sk
from stages.train_motion import fit

ROOT = Path(__file__).parents[1]
SIZES = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.3)
SEEDS = (0, 1, 2)
_STRETCH = 30
"""Seconds."""


def split(curated: Curated) -> tuple[list[str], list[str]]:
    """Training clips of the first two thirds of the people, and of the others."""
    rows = curated.table.set_index("clip").loc[curated.clips("train")]
    people = list(dict.fromkeys(rows["speaker"]))
    aside = rows["speaker"].isin(people[2 * len(people) // 3 :])
    return rows.index[~aside].tolist(), rows.index[aside].tolist()


def liveliness(params: Params, workspace: Workspace) -> dict[str, Any]:
    learnt, aside = (load_moving(workspace, clips) for clips in split(Curated.load(workspace.curated)))
    with no_progress("", 0) as bar:
        encoder = train_encoder(learnt, params.evaluate.encoder_steps, params.seed, bar)
    context = Context(workspace, lambda: process_pool(1), no_progress)
    model = fit(params, learnt, context).average.cpu()
    steps, fps = params.motion.sampling_steps, params.media.fps
    rows = []
    for size in SIZES:
        model.register_to_config(liveliness=size)
        found = []
        for seed in SEEDS:
            tracks = [draw_motion(model, clip.mel, clip.keypoints[0], steps, seed) for clip in aside]
            table = gesture_tables({"drawn": tracks}, aside, encoder, fps, seed)["drawn"]
            found.append([table["fgd"], table["diversity"], speed(tracks)])
        rows.append({"size": size, **dict(zip(("fgd", "diversity", "speed"), np.mean(found, 0), strict=True))})
    real = [clip.smoothed().keypoints for clip in aside]
    truth = gesture_tables({"ground_truth": [clip.keypoints for clip in aside]}, aside, encoder, fps, 0)
    best = min(rows, key=lambda row: row["fgd"])["size"]
    return {
        "clips": len(aside),
        "drawn": rows,
        "real": {"diversity": truth["ground_truth"]["diversity"], "speed": speed(real)},
        "best": best,
    }


def speed(tracks: Sequence[np.ndarray]) -> float:
    """Of elbows, wrists and hands, shoulder widths a frame."""
    points = [gesture_points(track).reshape(len(track), -1, 2) for track in tracks]
    return float(np.mean([np.linalg.norm(np.diff(each, axis=0), axis=-1).mean() for each in points]))


def heights(keypoints: np.ndarray) -> np.ndarray:
    """(T, 133, 2) -> (T, 2): left and right hand over the middle of the shoulders, shoulder widths."""
    shoulders = keypoints[:, sk.SHOULDERS]
    unit = np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=-1)
    hands = [keypoints[:, hand, 1].mean(1) for hand in (sk.LEFT_HAND, sk.RIGHT_HAND)]
    return np.stack([(shoulders[..., 1].mean(1) - hand) / unit for hand in hands], 1)


def long_talk(params: Params, workspace: Workspace, seconds: int) -> dict[str, Any]:
    clips = load_moving(workspace, Curated.load(workspace.curated).clips("train"))
    model, fps = MotionModel.from_pretrained(workspace.model("motion")).eval(), params.media.fps
    mel = speech(clips, seconds * fps)
    rest = np.array(json.loads((workspace.model("export") / "sampling.json").read_text())["rest"], np.float32)
    drawn = [draw_motion(model, mel, rest, params.motion.sampling_steps, seed) for seed in SEEDS]
    halves = [np.split(track, len(track) // (_STRETCH * fps)) for track in drawn]
    real = np.concatenate([heights(clip.keypoints) for clip in clips])
    return {
        "heights": [[heights(half).mean(0).tolist() for half in track] for track in halves],
        "away": [[away([half], [rest]) for half in track] for track in halves],
        "real": {
            "heights": dict(zip(("low", "median", "high"), np.percentile(real, (5, 50, 95), 0).tolist(), strict=True)),
            "away": away([clip.keypoints for clip in clips], [clip.keypoints[0] for clip in clips]),
        },
    }


def away(tracks: Sequence[np.ndarray], references: Sequence[np.ndarray]) -> dict[str, float]:
    """Of all frames of all tracks, each from its reference."""
    moved = np.concatenate([offsets(track, still)[0] for track, still in zip(tracks, references, strict=True)])
    body = 2 * len(BODY)
    parts = {"body": slice(0, body), "upper face": slice(body + 4, LIDS.start), "lids": LIDS}
    return {name: float(np.sqrt(np.square(moved[:, part]).mean())) for name, part in parts.items()}


def speech(clips: Sequence[MovingClip], frames: int) -> np.ndarray:
    mel = np.concatenate([clip.mel for clip in clips])
    return np.tile(mel, (-(-frames // len(mel)), 1, 1))[:frames]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=180, help="of the long talk, whole half minutes")
    parser.add_argument("--root", type=Path, default=ROOT, help="project with data/, models/motion and models/export")
    options = parser.parse_args()
    torch.set_num_threads(1)
    workspace, params = Workspace(options.root), load_params(ROOT / "params.yaml")
    found = {"liveliness": liveliness(params, workspace), "long": long_talk(params, workspace, options.seconds)}
    write_json(ROOT / "reports/benchmarks/motion.json", found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

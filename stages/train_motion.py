"""Train voice to motion on the training people: log-mel and a reference pose in, upper-body keypoints out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from cospeech.artifacts import Curated
from cospeech.config import Params
from cospeech.config.speech import MotionSection
from cospeech.datasets.motion_clips import MovingClip, load_moving
from cospeech.harness.context import Context
from cospeech.harness.files import atomic_path
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import contact_sheet, save_png
from cospeech.motion.blinks import fit_blinking
from cospeech.motion.model import MotionModel
from cospeech.motion_evaluation.gesture_metrics import BASELINES, DRAWN, Tracks, all_motion, gesture_tables
from cospeech.plots.loss_curve import save_loss_curve
from cospeech.pose import skeleton as sk
from cospeech.pose.drawing import draw_skeletons
from cospeech.pose.track import PoseTrack
from cospeech.training.checkpoint import Checkpoint, run_digest
from cospeech.training.motion import draw_batch, fit_statistics, motion_loss
from cospeech.training.trainer import Optimisation, Trained, seeded, train
from cospeech.utils.device import pick_device

STAGE = "train_motion"
_SHOWN_FRAMES, _SHOWN_FACES = 8, 16


def run(params: Params, context: Context) -> StageReport:
    """Writes models/motion.

    Raises:
        ValueError: no training clip has more than `motion.window` frames.
    """
    workspace, section = context.workspace, params.motion
    curated = Curated.load(workspace.curated)
    clips = load_moving(workspace, curated.clips("train"))
    values = {"seed": params.seed, **section.model_dump()}
    checkpoint = Checkpoint(workspace.scratch / run_digest(STAGE, values, _inputs(workspace, curated)))
    trained = fit(params, clips, context, checkpoint)
    model = trained.average.cpu()
    with atomic_path(workspace.model("motion")) as folder:
        model.save_pretrained(folder)
    checkpoint.remove()
    held_out = load_moving(workspace, curated.clips("test"))
    kinds = all_motion(model, clips, held_out, section.sampling_steps, params.seed) if held_out else {}
    folder = workspace.stage_report(STAGE)
    figures = _figures(gesture_tables(kinds, held_out, None, params.media.fps, params.seed))
    report = StageReport(
        STAGE,
        _summary(figures),
        {**figures, "train_clips": len(clips), "loss": float(np.mean(trained.losses[-50:]))},
        pictures={"training loss": save_loss_curve(folder, trained.losses, "motion")}
        | (_pictures(folder, kinds, held_out[0], params.media.size) if held_out else {}),
    )
    report.save(folder)
    return report


def _inputs(workspace: Workspace, curated: Curated) -> list[Path]:
    return [path for clip in curated.clips("train") for path in (workspace.audio(clip), workspace.poses(clip))]


def fit(
    params: Params, clips: Sequence[MovingClip], context: Context, checkpoint: Checkpoint | None = None
) -> Trained[MotionModel]:
    """A model of how the people of `clips` move.

    Raises:
        ValueError: no clip has more than `motion.window` frames.
    """
    section, device = params.motion, pick_device(params.compute.device)
    usable = [clip.open_eyed().smoothed() for clip in clips if len(clip) > section.window]
    if not usable:
        longest = max(map(len, clips), default=0)
        raise ValueError(
            f"motion.window is {section.window} frames, but the longest of {len(clips)} training clips has {longest} "
            "and one more than the window is needed; lower it or bring longer clips"
        )
    model = _new_model(section, usable, params.seed)
    model.blinking = fit_blinking([track.keypoints for clip in clips for track in (clip, clip.mirrored())])
    model = model.to(device)

    def loss(model: MotionModel, step: int, generator: torch.Generator) -> torch.Tensor:
        batch = draw_batch(usable, section.batch, section.window, model, generator)
        return motion_loss(model, batch.to(device), generator)

    settings = Optimisation(**section.optimisation.model_dump())
    with context.progress("train motion", settings.steps) as bar:
        return train(model, loss, settings, params.seed, bar, checkpoint)


def _new_model(section: MotionSection, clips: Sequence[MovingClip], seed: int) -> MotionModel:
    with seeded(seed):
        model = MotionModel(
            width=section.width,
            hidden=section.hidden,
            lookahead=section.lookahead,
            chunk=section.chunk,
            pose_components=section.pose_components,
            chunk_components=section.chunk_components,
            mel_windows=clips[0].mel.shape[1],
            mel_bands=clips[0].mel.shape[2],
            liveliness=section.liveliness,
        )
    fit_statistics(model, clips)
    return model


def _figures(tables: Mapping[str, Mapping[str, Figure]]) -> dict[str, Figure]:
    """Of drawn motion, of what it is compared with, and of real motion."""
    named = {DRAWN: "", **{name: f"_{name}" for name in BASELINES}, "ground_truth": "_ground_truth"}
    keys = ("lmd", "lip_correlation", "beat_consistency", "diversity", "blinks")
    return {
        f"{key}{suffix}": tables[kind][key]
        for kind, suffix in named.items()
        for key in keys
        if tables.get(kind, {}).get(key) is not None
    }


def _summary(figures: Mapping[str, Figure]) -> str:
    if figures.get("lmd") is None:
        return "voice to motion trained; no held-out face to test it on"
    others = ", ".join(f"{name.replace('_', ' ')} {figures[f'lmd_{name}']:.4f}" for name in BASELINES)
    return f"voice to motion: lips {figures['lmd']:.4f} from the truth ({others})"


def _pictures(folder: Path, kinds: Mapping[str, Tracks], clip: MovingClip, size: int) -> dict[str, Path]:
    """Of one held-out clip: the whole pose, and faces of frames next to each other."""
    tracks = [kinds["ground_truth"][0], kinds[DRAWN][0]]
    spread = np.linspace(0, len(clip) - 1, _SHOWN_FRAMES).astype(int)
    near = np.arange(len(clip) // 3, min(len(clip) // 3 + _SHOWN_FACES, len(clip)))
    faces = [_close_up(track, clip.keypoints[0], size) for track in tracks]
    whole = clip.track.confidence[0]
    face_only = np.where(np.isin(np.arange(sk.KEYPOINTS), sk.FACE), whole, 0)
    sheets = (
        ("motion", "held-out speech: real motion above, drawn below", tracks, spread, whole),
        ("faces", "held-out speech, frame by frame: real face above, drawn below", faces, near, face_only),
    )
    pictures = {}
    for name, caption, shown, frames, seen in sheets:
        points = np.concatenate([track[frames] for track in shown])
        drawn = draw_skeletons(PoseTrack(points, np.broadcast_to(seen, points.shape[:2]), (size, size)))
        pictures[caption] = folder / f"{name}.png"
        save_png(pictures[caption], contact_sheet(drawn, len(frames)))
    return pictures


def _close_up(keypoints: np.ndarray, reference: np.ndarray, size: int) -> np.ndarray:
    """Faces in the middle of the picture, that of `reference` as large as it."""
    extent = float(np.ptp(reference[sk.FACE], axis=0).max())
    middle = keypoints[:, sk.NOSE_BASE].mean(1, keepdims=True)
    return (keypoints - middle) * (0.8 * size / max(extent, 1.0)) + size / 2

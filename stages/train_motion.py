"""Train voice to motion on the training people: log-mel and a reference pose in, upper-body keypoints out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stages.lib.artifacts import AudioFeatures, Curated, Poses
from stages.lib.checkpoint import Checkpoint, run_digest
from stages.lib.context import Context
from stages.lib.curves import save_loss_curve
from stages.lib.device import pick_device
from stages.lib.files import atomic_path
from stages.lib.losses import training_timesteps
from stages.lib.media import contact_sheet, save_png
from stages.lib.metrics.lips import lmd
from stages.lib.motion import draw_motion, normalise, point_weights
from stages.lib.nets.motion import MotionModel
from stages.lib.pose.drawing import draw_skeleton
from stages.lib.report import Figure, StageReport
from stages.lib.training import Optimisation, Trained, seeded, train
from stages.lib.workspace import Workspace
from stages.params import MotionSection, Params

STAGE = "train_motion"
_SHOWN_FRAMES = 8


@dataclass(frozen=True)
class MovingClip:
    """poses: what curate kept. points: (T, 246) in shoulder widths about the first frame. audio: (T, A) log-mel."""

    poses: Poses
    points: torch.Tensor
    audio: torch.Tensor


def run(params: Params, context: Context) -> StageReport:
    """Writes models/motion.

    Raises:
        ValueError: no training clip has `motion.window` frames.
    """
    workspace = context.workspace
    curated = Curated.load(workspace.curated)
    clips = [_load(workspace, clip) for clip in curated.clips("train")]
    checkpoint = Checkpoint(workspace.scratch / run_digest(STAGE, _settings(params), _inputs(workspace, curated)))
    trained = _fit(params, clips, context, checkpoint)
    model = trained.average.cpu()
    with atomic_path(workspace.model("motion")) as folder:
        model.save_pretrained(folder)
    checkpoint.remove()
    folder = workspace.stage_report(STAGE)
    held_out = [_load(workspace, clip) for clip in curated.clips("test")]
    figures = _test(model, held_out, params)
    report = StageReport(
        STAGE,
        f"voice to motion: lips {figures['lmd']:.4f} from the truth, a still face {figures['lmd_still']:.4f}"
        if held_out
        else "voice to motion trained; no held-out clip to test it on",
        {**figures, "train_clips": len(clips), "loss": float(np.mean(trained.losses[-50:]))},
        pictures=_pictures(folder, trained.losses, model, held_out[:1], params),
    )
    report.save(folder)
    return report


def _settings(params: Params) -> dict[str, object]:
    return {"seed": params.seed, **params.motion.model_dump()}


def _inputs(workspace: Workspace, curated: Curated) -> list[Path]:
    return [path for clip in curated.clips("train") for path in (workspace.audio(clip), workspace.poses(clip))]


def _load(workspace: Workspace, clip: str) -> MovingClip:
    poses = Poses.load(workspace.poses(clip))
    points = normalise(poses.keypoints, poses.keypoints[0])
    mel = AudioFeatures.load(workspace.audio(clip)).mel
    return MovingClip(poses, torch.from_numpy(points), torch.from_numpy(mel).flatten(1))


def _fit(params: Params, clips: Sequence[MovingClip], context: Context, checkpoint: Checkpoint) -> Trained[MotionModel]:
    section, device = params.motion, pick_device(params.compute.device)
    usable = [clip for clip in clips if len(clip.points) >= section.window]
    if not usable:
        longest = max((len(clip.points) for clip in clips), default=0)
        raise ValueError(
            f"motion.window is {section.window} frames, but the longest of {len(clips)} training clips has {longest}; "
            "lower it or bring longer clips"
        )
    model = _new_model(section, usable, params.seed).to(device)

    def loss(model: MotionModel, step: int, generator: torch.Generator) -> torch.Tensor:
        points_BTQ, audio_BTA, reference_BQ = (part.to(device) for part in _draw(usable, section, generator))
        clean = model.encode_motion(points_BTQ - reference_BQ[:, None])
        noise = torch.randn(clean.shape, generator=generator).to(device)
        time_B = training_timesteps(len(clean), 1.0, generator).to(device)
        noisy = clean + (noise - clean) * time_B[:, None, None]
        return motion_loss(model(noisy, time_B, audio_BTA, reference_BQ), clean)

    settings = Optimisation(**section.optimisation.model_dump())
    with context.progress("train motion", settings.steps) as bar:
        return train(model, loss, settings, params.seed, bar, checkpoint)


def motion_loss(made_BTP: torch.Tensor, truth_BTP: torch.Tensor) -> torch.Tensor:
    """Squared error of the motion and, as much again, of its change from frame to frame."""
    change = made_BTP.diff(dim=1) - truth_BTP.diff(dim=1)
    return (made_BTP - truth_BTP).square().mean() + change.square().mean()


def _new_model(section: MotionSection, clips: Sequence[MovingClip], seed: int) -> MotionModel:
    audio = torch.cat([clip.audio for clip in clips])
    with seeded(seed):
        model = MotionModel(
            components=section.components,
            audio_features=audio.shape[1],
            width=section.width,
            layers=section.layers,
            lookahead=section.lookahead,
        )
    offsets = torch.cat([clip.points - clip.points[0] for clip in clips])
    model.fit_statistics(offsets, audio, torch.from_numpy(point_weights()))
    return model


def _draw(
    clips: Sequence[MovingClip], section: MotionSection, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points (B, T, Q), audio (B, T, A) and reference points (B, Q): any frame of the same clip."""
    points, audio, references = [], [], []
    for index in torch.randint(len(clips), (section.batch,), generator=generator).tolist():
        clip = clips[index]
        start = int(torch.randint(len(clip.points) - section.window + 1, (1,), generator=generator))
        reference = int(torch.randint(len(clip.points), (1,), generator=generator))
        points.append(clip.points[start : start + section.window])
        audio.append(clip.audio[start : start + section.window])
        references.append(clip.points[reference])
    return torch.stack(points), torch.stack(audio), torch.stack(references)


def _draw_motion(model: MotionModel, clip: MovingClip, params: Params) -> np.ndarray:
    """Keypoints (T, 133, 2) in pixels for the clip's speech, from its first pose."""
    mel = clip.audio.unflatten(1, (4, -1)).numpy()
    return draw_motion(model, mel, clip.poses.keypoints[0], params.motion.sampling_steps, params.seed)


def _test(model: MotionModel, clips: Sequence[MovingClip], params: Params) -> dict[str, Figure]:
    """Lip distance to the truth on held-out speech, beside a face that does not move."""
    if not clips:
        return {"lmd": None, "lmd_still": None}
    made, still = [], []
    for clip in clips:
        truth, seen = clip.poses.keypoints, clip.poses.confidence
        drawn = _draw_motion(model, clip, params)
        made.append(lmd(drawn, seen, truth, seen))
        still.append(lmd(np.repeat(truth[:1], len(truth), 0), seen, truth, seen))
    return {"lmd": float(np.nanmean(np.concatenate(made))), "lmd_still": float(np.nanmean(np.concatenate(still)))}


def _pictures(
    folder: Path, losses: Sequence[float], model: MotionModel, clips: Sequence[MovingClip], params: Params
) -> dict[str, Path]:
    pictures = {"training loss": save_loss_curve(folder, losses, "motion")}
    for clip in clips:
        made = _draw_motion(model, clip, params)
        shown = np.linspace(0, len(made) - 1, _SHOWN_FRAMES).astype(int)
        rows = [
            draw_skeleton(track[index], clip.poses.confidence[0], clip.poses.size)
            for track in (clip.poses.keypoints, made)
            for index in shown
        ]
        path = folder / "motion.png"
        save_png(path, contact_sheet(np.stack(rows), _SHOWN_FRAMES))
        pictures["held-out speech: real motion above, drawn below"] = path
    return pictures

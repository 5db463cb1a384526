"""Train the lip-sync expert on the training people: which mouth belongs to which 0.2 s of speech."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from cospeech.artifacts import AudioFeatures, Curated
from cospeech.config import Params
from cospeech.datasets.sync_clips import SpeakingClip, draw_batch, speaking_clip, stretch_offsets
from cospeech.harness.context import Context
from cospeech.harness.files import atomic_path
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import contact_sheet, read_frames, save_png
from cospeech.models.perception.sync import SyncExpert, contrastive_loss
from cospeech.plots.loss_curve import save_loss_curve
from cospeech.pose.mouth_crop import mouth_crops
from cospeech.pose.track_file import load_track
from cospeech.training.checkpoint import Checkpoint, run_digest
from cospeech.training.trainer import Optimisation, Trained, seeded, train
from cospeech.utils.device import pick_device
from cospeech.utils.precision import autocast

STAGE = "train_sync"
_STRETCH_SECONDS = 2.0
_NEAR = 1
"""An offset is right if it is this many frames or fewer from none; curate keeps footage that is in step."""


def run(params: Params, context: Context) -> StageReport:
    """Writes models/sync.

    Raises:
        ValueError: no training clip holds `sync.windows_a_clip` windows.
    """
    workspace = context.workspace
    curated = Curated.load(workspace.curated)
    clips = _load(workspace, curated.clips("train"))
    checkpoint = Checkpoint(workspace.scratch / run_digest(STAGE, _settings(params), _inputs(workspace, curated)))
    trained = _fit(params, list(clips.values()), context, checkpoint)
    expert = trained.average.cpu()
    with atomic_path(workspace.model("sync")) as folder:
        expert.save_pretrained(folder)
    checkpoint.remove()
    folder = workspace.stage_report(STAGE)
    figures = _test(expert, _load(workspace, curated.clips("test")), params.media.fps)
    share = figures["offset_within_1_frame"]
    report = StageReport(
        STAGE,
        "no held-out clip is long enough to test the lip-sync expert"
        if share is None
        else f"lip-sync expert: offset within {_NEAR} frame in {share:.0%} of held-out 2 s stretches",
        {**figures, "train_clips": len(clips), "loss": sum(trained.losses[-50:]) / len(trained.losses[-50:])},
        pictures=_pictures(folder, trained.losses, clips),
    )
    report.save(folder)
    return report


def _settings(params: Params) -> dict[str, object]:
    return {"seed": params.seed, **params.sync.model_dump()}


def _inputs(workspace: Workspace, curated: Curated) -> list[Path]:
    clips = curated.clips("train")
    return [path for clip in clips for path in (workspace.video(clip), workspace.audio(clip), workspace.poses(clip))]


def _load(workspace: Workspace, names: Sequence[str]) -> dict[str, SpeakingClip]:
    clips = {}
    for name in names:
        keypoints = load_track(workspace.poses(name)).keypoints
        crops = mouth_crops(read_frames(workspace.video(name)), keypoints)
        clips[name] = speaking_clip(crops, AudioFeatures.load(workspace.audio(name)).mel)
    return clips


def _fit(
    params: Params, clips: Sequence[SpeakingClip], context: Context, checkpoint: Checkpoint
) -> Trained[SyncExpert]:
    section, device = params.sync, pick_device(params.compute.device)
    usable = [clip for clip in clips if clip.windows >= section.windows_a_clip]
    if not usable:
        longest = max((clip.windows for clip in clips), default=0)
        raise ValueError(
            f"sync.windows_a_clip is {section.windows_a_clip}, but the longest of {len(clips)} training clips has "
            f"{longest} windows; lower it or bring longer clips"
        )
    with seeded(params.seed):
        expert = SyncExpert(section.width, section.embedding, mel_bands=usable[0].mel.shape[2])
    mel = torch.cat([clip.mel.flatten(0, 1) for clip in usable])
    expert.mel_mean.copy_(mel.mean(0))
    expert.mel_std.copy_(mel.std(0).clamp(min=1e-3))
    expert.to(device, memory_format=torch.channels_last)

    def loss(model: SyncExpert, step: int, generator: torch.Generator) -> torch.Tensor:
        crops, speech = draw_batch(usable, section.clips_a_batch, section.windows_a_clip, generator)
        with autocast(device, section.precision):
            lips_BD, speech_BD = model.lips(crops.to(device)), model.speech(speech.to(device))
        return contrastive_loss(lips_BD.float(), speech_BD.float(), model.log_temperature)

    settings = Optimisation(**section.optimisation.model_dump())
    with context.progress("train sync expert", settings.steps) as bar:
        return train(expert, loss, settings, params.seed, bar, checkpoint)


def _test(expert: SyncExpert, clips: Mapping[str, SpeakingClip], fps: int) -> dict[str, Figure]:
    """How often the offset of held-out footage, whose audio and video are in step, is found to be near zero."""
    offsets: list[int] = []
    for clip in clips.values():
        lips_ND, speech_ND = expert.embed_lips(clip.crops.float() / 255), expert.embed_speech(clip.mel)
        offsets += stretch_offsets(lips_ND.numpy(), speech_ND.numpy(), round(_STRETCH_SECONDS * fps))
    right = [abs(offset) <= _NEAR for offset in offsets]
    return {"offset_within_1_frame": sum(right) / len(right) if right else None, "test_stretches": len(right)}


def _pictures(folder: Path, losses: Sequence[float], clips: Mapping[str, SpeakingClip]) -> dict[str, Path]:
    loss = save_loss_curve(folder, losses, "sync expert")
    shown = torch.stack([clip.crops[len(clip.crops) // 2] for clip in list(clips.values())[:12]])
    mouths = folder / "mouths.png"
    save_png(mouths, contact_sheet(shown.permute(0, 2, 3, 1).numpy(), 4))
    return {"training loss": loss, "mouths as the expert sees them": mouths}

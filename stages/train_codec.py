"""Train the codec on frames of the kept training clips, and fit the pose encoder to their skeleton pictures.

From a pretrained codec only the decoder learns on: the encoders stay, so latents and poses mean to a pretrained teacher
what they meant when it was trained.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cospeech.artifacts import Curated
from cospeech.config import Params
from cospeech.config.models import CodecSection
from cospeech.harness.context import Context
from cospeech.harness.files import atomic_path
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames
from cospeech.metrics.image import psnr
from cospeech.models.autoencoders.codec import Codec
from cospeech.models.autoencoders.pose_encoder import PoseEncoder
from cospeech.models.common.pretrained import require_config
from cospeech.plots.contact_sheet import save_sheet
from cospeech.plots.loss_curve import save_loss_curve
from cospeech.pose.drawing import draw_skeletons
from cospeech.pose.track_file import load_track
from cospeech.training.checkpoint import Checkpoint, run_digest
from cospeech.training.trainer import Optimisation, seeded, train
from cospeech.utils.device import pick_device
from cospeech.utils.images import evenly_spaced, to_images, to_tensor
from cospeech.utils.precision import autocast

_LATENT_NOISE = 0.05
"""Noise on latents of unit variance while training: what denoising leaves behind must not ruin the picture."""
_FIT_FRAMES = 256
_SHOWN_FRAMES = 4


def run(params: Params, context: Context) -> StageReport:
    """Writes models/codec/image and models/codec/pose."""
    workspace, device = context.workspace, pick_device(params.compute.device)
    curated = Curated.load(workspace.curated)
    clips = curated.clips("train")
    if not clips:
        raise ValueError(f"{workspace.curated}: no clip is kept for training; see its reasons (cospeech ledger)")
    if params.wan is not None:
        from cospeech.families.wan.import_codec import take_codec

        report = take_codec(params.wan.model_dump(), workspace, curated, device)
        report.save(workspace.stage_report("train_codec"))
        return report
    frames = _spread_frames(workspace, clips, params.codec.frames)
    codec, losses, checkpoint = _train(params, context, curated, frames, device)
    poses = _pose_encoder(workspace, clips, params)
    with atomic_path(workspace.model("codec")) as folder:
        codec.save_pretrained(folder / "image")
        poses.save_pretrained(folder / "pose")
    checkpoint.remove()
    folder = workspace.stage_report("train_codec")
    pictures = {"training loss": save_loss_curve(folder, losses, "codec")}
    figures, sheet = _test(codec, workspace, curated, device, folder)
    if sheet is not None:
        pictures["held-out frames: real, rebuilt, difference x 8"] = sheet
    quality = "no held-out clips" if sheet is None else f"{figures['psnr']:.2f} dB on held-out clips"
    report = StageReport(
        "train_codec",
        f"codec of {figures['parameters']:,} parameters: {quality}",
        {**figures, "train_clips": len(clips), "train_frames": len(frames), "loss": float(np.mean(losses[-50:]))},
        pictures=pictures,
    )
    report.save(folder)
    return report


def _spread_frames(workspace: Workspace, clips: Sequence[str], limit: int) -> np.ndarray:
    """At most about `limit` frames, evenly spread over clips and time: (N, H, W, 3) uint8."""
    share = max(1, limit // len(clips))
    kept = []
    for clip in clips[:limit]:
        frames = read_frames(workspace.video(clip))
        kept.append(frames[evenly_spaced(len(frames), share)])
    return np.concatenate(kept)


def _train(
    params: Params, context: Context, curated: Curated, frames: np.ndarray, device: torch.device
) -> tuple[Codec, list[float], Checkpoint]:
    section, workspace = params.codec, context.workspace
    start = to_tensor(frames[evenly_spaced(len(frames), _FIT_FRAMES)])
    codec = _start_codec(params, start)
    codec = codec.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    settings = Optimisation(**section.optimisation.model_dump())

    def loss(model: Codec, step: int, generator: torch.Generator) -> torch.Tensor:
        batch = _draw_crops(frames, section.batch, section.crop, generator).to(device)
        with autocast(device, section.precision):
            raw = model.encode_raw(batch)
            noise = torch.randn(raw.shape, generator=generator).to(raw)
            rebuilt = model.decode_raw(raw + _LATENT_NOISE * noise)
        # patches start at unit variance; the penalty keeps latents from growing to drown the noise
        error = rebuilt - batch
        return error.abs().mean() + 2 * error.square().mean() + 1e-4 * raw.float().square().mean()

    inputs = [workspace.curated, *(workspace.video(clip) for clip in curated.clips("train"))]
    if section.pretrained is not None:
        inputs.append(section.pretrained)
    values = {**section.model_dump(mode="json"), "seed": params.seed}
    checkpoint = Checkpoint(workspace.scratch / run_digest("train_codec", values, inputs))
    with context.progress("train codec", settings.steps) as bar:
        trained = train(codec, loss, settings, params.seed, bar, checkpoint)
    generator = torch.Generator().manual_seed(params.seed)
    if section.pretrained is None:
        trained.average.fit_statistics(start.to(device))
    trained.average.fit_sensitivity(start.to(device), generator)
    return trained.average, trained.losses, checkpoint


def _start_codec(params: Params, start_BCHW: torch.Tensor) -> Codec:
    section = params.codec
    with seeded(params.seed):
        codec = new_codec(section)
    if section.pretrained is None:
        codec.fit_patches(start_BCHW)
        return codec
    pretrained = Codec.from_pretrained(section.pretrained / "image")
    require_config("codec", section.pretrained, pretrained.config, codec.config)
    return pretrained.freeze_encoder()


def new_codec(section: CodecSection) -> Codec:
    return Codec(
        latent_channels=section.latent_channels,
        encoder_width=section.encoder_width,
        encoder_blocks=section.encoder_blocks,
        decoder_width=section.decoder_width,
        decoder_blocks=section.decoder_blocks,
        detail_width=section.detail_width,
        detail_blocks=section.detail_blocks,
    )


def _draw_crops(frames: np.ndarray, count: int, crop: int, generator: torch.Generator) -> torch.Tensor:
    """`count` random frames cut at random places on the 8-pixel grid: (B, 3, crop, crop) in -1..1."""
    size = frames.shape[1]
    crop = min(crop, size)
    index = torch.randint(len(frames), (count,), generator=generator).tolist()
    corner = torch.randint((size - crop) // 8 + 1, (count, 2), generator=generator) * 8
    cut = [frames[i, y : y + crop, x : x + crop] for i, (y, x) in zip(index, corner.tolist(), strict=True)]
    return to_tensor(np.stack(cut))


def _pose_encoder(workspace: Workspace, clips: Sequence[str], params: Params) -> PoseEncoder:
    encoder = PoseEncoder(channels=params.codec.pose_channels)
    if params.codec.pretrained is not None:
        pretrained = PoseEncoder.from_pretrained(params.codec.pretrained / "pose")
        require_config("codec", params.codec.pretrained, pretrained.config, encoder.config)
        return pretrained
    share = max(1, _FIT_FRAMES // len(clips))
    drawn = []
    for clip in clips[:_FIT_FRAMES]:
        track = load_track(workspace.poses(clip))
        drawn.append(draw_skeletons(track[evenly_spaced(len(track), share)]))
    pictures = torch.from_numpy(np.concatenate(drawn)).permute(0, 3, 1, 2).float() / 255
    encoder.fit(pictures)
    return encoder


@torch.no_grad()
def _test(
    codec: Codec, workspace: Workspace, curated: Curated, device: torch.device, folder: Path
) -> tuple[dict[str, Figure], Path | None]:
    """PSNR over held-out clips, those of people seen in training apart from others; null where there are none."""
    seen_people = curated.seen_speakers()
    scores: dict[str, list[float]] = {"psnr": [], "psnr_seen": [], "psnr_unseen": []}
    shown: list[tuple[np.ndarray, np.ndarray]] = []
    for clip in curated.clips("test"):
        frames = read_frames(workspace.video(clip))
        frames = frames[evenly_spaced(len(frames), 8)]
        rebuilt = to_images(codec.decode(codec.encode(to_tensor(frames).to(device))))
        value = float(psnr(rebuilt, frames).mean())
        scores["psnr"].append(value)
        scores["psnr_seen" if curated.speaker(clip) in seen_people else "psnr_unseen"].append(value)
        shown.append((frames[0], rebuilt[0]))
    figures: dict[str, Figure] = {name: float(np.mean(each)) if each else None for name, each in scores.items()}
    figures["parameters"] = sum(weight.numel() for weight in codec.parameters())
    if not shown:
        return figures, None
    real, made = (np.stack(each) for each in zip(*shown[:_SHOWN_FRAMES], strict=True))
    difference = (8 * np.abs(made.astype(int) - real.astype(int))).clip(0, 255).astype(np.uint8)
    return figures, save_sheet(folder / "held_out.png", [real, made, difference])

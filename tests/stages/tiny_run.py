"""What the stages before evaluation leave, at a size that takes seconds: real files and classes, untrained weights."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cospeech.artifacts import AudioFeatures, Curated, Words
from cospeech.config import Params, load_params
from cospeech.families.embedded import Embedded
from cospeech.harness.context import Context
from cospeech.harness.files import write_json
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames, write_speech, write_video
from cospeech.models.autoencoders.codec import Codec
from cospeech.models.autoencoders.pose_encoder import PoseEncoder
from cospeech.models.perception.sync import SyncExpert
from cospeech.models.transformers.denoiser import Denoiser
from cospeech.models.warping.deformer import Deformer
from cospeech.motion.model import MotionModel
from cospeech.pose.drawing import draw_skeletons
from cospeech.pose.track_file import save_track
from cospeech.utils.images import to_tensor
from tests.helpers.keypoints import person

SIZE, FRAMES, FPS = 64, 40, 25
PEOPLE = (("ann-1", "ann", "train"), ("ann-2", "ann", "test"), ("bob-1", "bob", "test"), ("cat-1", "cat", None))
"""clip, speaker, split; cat is refused."""


class _Bar:
    def update(self, n: int = 1, **figures: float) -> None:
        pass


@contextmanager
def _no_bar(label: str, total: int) -> Iterator[_Bar]:
    yield _Bar()


def context_of(workspace: Workspace) -> Context:
    return Context(workspace, lambda: ThreadPoolExecutor(1), _no_bar)


def tiny_params(repository: Path) -> Params:
    params = load_params(repository / "params/smoke.yaml")
    return params.model_copy(
        update={
            "media": params.media.model_copy(update={"size": SIZE, "fps": FPS}),
            "teacher": params.teacher.model_copy(update={"steps": 3, "precision": "fp32"}),
            "evaluate": params.evaluate.model_copy(
                update={"clips": 2, "frames": 10, "window": 6, "overlap": 2, "samples": 1}
            ),
        }
    )


def make_workspace(root: Path) -> Workspace:
    """Clips, poses, sound, verdicts, latents, models and a stage report."""
    workspace = Workspace(root)
    _save_curated(workspace)
    kept = [clip for clip, _, split in PEOPLE if split]
    pictures = {clip: _save_clip(workspace, clip, seed) for seed, clip in enumerate(kept)}
    _save_models(workspace, pictures)
    for clip, (frames, skeletons) in pictures.items():
        Embedded().encoder(workspace, torch.device("cpu")).encode(frames, skeletons).save(workspace.latents(clip))
    phones = [(clip, "phone", "m", 0.66, 0.74, "manifest") for clip in kept]
    table = pd.DataFrame(phones, columns=["clip", "kind", "text", "start", "end", "source"])
    Words(table).save(workspace.words)
    StageReport("curate", "3 clips kept", {"kept": 3}).save(workspace.stage_report("curate"))
    return workspace


def _save_curated(workspace: Workspace) -> None:
    rows = [
        {
            "clip": clip, "uri": f"clips/{clip}.mp4", "speaker": speaker, "licence": "CC0-1.0", "consent": "written",
            "split": split, "status": "ok", "reason": None, "sha256": "0" * 64, "width": SIZE, "height": SIZE,
            "fps": FPS, "seconds": FRAMES / FPS, "crop_x": 0, "crop_y": 0, "crop_size": SIZE, "frames": FRAMES,
            "samples": FRAMES * 640, "notes": None, "ffmpeg": "9.0", "kept": split is not None, "av_offset": 0.0,
            "reasons": "[]" if split else '["hands_visible: a hand in 0.10 of frames, 0.50 needed"]',
        }
        for clip, speaker, split in PEOPLE
    ]  # fmt: skip
    Curated(pd.DataFrame(rows)).save(workspace.curated)


def _save_clip(workspace: Workspace, clip: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """frames and skeletons (T, H, W, 3)."""
    rng = np.random.default_rng(seed)
    track = person(FRAMES, seed).resized((SIZE, SIZE))
    save_track(workspace.poses(clip), track, "mediapipe")
    skeletons = draw_skeletons(track)
    frames = np.maximum(skeletons, rng.integers(40, 120, (1, 1, 1, 3))).astype(np.uint8)
    write_video(workspace.video(clip), frames, FPS)
    write_speech(workspace.speech(clip), rng.normal(0, 0.1, FRAMES * 640).astype(np.float32), 16000)
    mel = rng.normal(size=(FRAMES, 4, 80)).astype(np.float32)
    AudioFeatures(mel, np.ones(FRAMES, np.float32), None).save(workspace.audio(clip))
    return read_frames(workspace.video(clip)), skeletons


def _save_models(workspace: Workspace, pictures: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    torch.manual_seed(0)
    codec = Codec(
        latent_channels=4, encoder_width=8, encoder_blocks=1, decoder_width=8, decoder_blocks=1, detail_width=8
    )
    frames = to_tensor(np.concatenate([each[0][:4] for each in pictures.values()]))
    skeletons = (to_tensor(np.concatenate([each[1][:8] for each in pictures.values()])) + 1) / 2
    codec.fit_patches(frames)
    codec.fit_statistics(frames)
    codec.fit_sensitivity(frames, torch.Generator().manual_seed(0))
    encoder = PoseEncoder(channels=8)
    encoder.fit(skeletons)
    codec.eval().save_pretrained(workspace.model("codec") / "image")
    encoder.save_pretrained(workspace.model("codec") / "pose")
    deformer = Deformer(width=16)
    torch.nn.init.normal_(deformer.last.weight, std=0.2)
    deformer.save_pretrained(workspace.model("deformer"))
    for name in ("teacher", "student"):
        denoiser = Denoiser(4, 8, width=24, layers=2, heads=2, ffn_ratio=2, conv_width=8, reference_warp=True)
        torch.nn.init.normal_(denoiser.conv_last.weight, std=0.05)
        denoiser.save_pretrained(workspace.model(name))
    motion = MotionModel(width=8, hidden=8, pose_components=4, chunk_components=4)
    for scale in (motion.weight, motion.pose_scale, motion.lip_scale, motion.chunk_scale):
        scale.fill_(1)
    torch.nn.init.normal_(motion.chunk_basis, std=0.05)
    motion.save_pretrained(workspace.model("motion"))
    SyncExpert(width=8, embedding=8).save_pretrained(workspace.model("sync"))
    write_json(workspace.ranges, {})

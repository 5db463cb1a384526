"""A project as the stages before teacher_targets leave it, with networks so small that a stage takes a second."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cospeech.artifacts import Curated, Latents
from cospeech.artifacts.tables import CURATED_COLUMNS
from cospeech.config import Params, load_params
from cospeech.harness.context import Context
from cospeech.harness.workspace import Workspace
from cospeech.media import write_video
from cospeech.models.autoencoders.codec import Codec
from cospeech.models.transformers.denoiser import Denoiser
from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import save_track
from cospeech.training.trainer import seeded
from cospeech.utils.images import to_tensor

FRAMES, SIZE = 12, 64
CLIPS = {"ann-1": ("ann", "train"), "bob-1": ("bob", "train"), "ann-2": ("ann", "test"), "eve-1": ("eve", "test")}


class Bar:
    """Counts what it is told; raises KeyboardInterrupt after `stop_after` updates."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.done, self.stop_after = 0, stop_after

    def update(self, n: int = 1, **figures: float) -> None:
        self.done += n
        if self.stop_after is not None and self.done >= self.stop_after:
            raise KeyboardInterrupt


def context_of(root: Path, bar: Bar | None = None) -> Context:
    def executor() -> None:
        raise AssertionError("this stage works in its own process")

    @contextmanager
    def progress(label: str, total: int) -> Iterator[Bar]:
        yield bar or Bar()

    return Context(Workspace(root), executor, progress)  # type: ignore[arg-type]


def tiny_params(repository: Path) -> Params:
    """params/smoke.yaml on the CPU in float32."""
    params = load_params(repository / "params/smoke.yaml")
    return params.model_copy(
        update={
            "compute": params.compute.model_copy(update={"device": "cpu"}),
            "teacher": params.teacher.model_copy(update={"precision": "fp32", "steps": 4}),
        }
    )


def make_project(root: Path) -> Workspace:
    """Clips of a bright head and two hands that move, with their poses, latents, a codec and a teacher."""
    workspace = Workspace(root)
    codec = Codec(latent_channels=4, encoder_width=4, encoder_blocks=0, decoder_width=4, decoder_blocks=0,
                  detail_width=4, detail_blocks=0).eval()  # fmt: skip
    films = {clip: film(seed) for seed, clip in enumerate(CLIPS)}
    codec.fit_patches(to_tensor(np.concatenate([frames for frames, _ in films.values()])))
    rows = []
    for clip, (speaker, split) in CLIPS.items():
        frames, track = films[clip]
        write_video(workspace.video(clip), frames, 25)
        save_track(workspace.poses(clip), track, "made up")
        with torch.no_grad():
            latents = codec.encode(to_tensor(frames)).numpy()
        Latents(latents, np.zeros((FRAMES, 3, *latents.shape[2:]), np.float16)).save(workspace.latents(clip))
        rows.append({"clip": clip, "speaker": speaker, "split": split, "kept": True, "status": "ok", "reasons": "[]"})
    Curated(pd.DataFrame(rows, columns=list(CURATED_COLUMNS))).save(workspace.curated)
    codec.save_pretrained(workspace.model("codec") / "image")
    with seeded(0):
        teacher = Denoiser(latent_channels=4, pose_channels=3, width=24, layers=1, heads=2, ffn_ratio=1, conv_width=8)
        torch.nn.init.normal_(teacher.conv_last.weight, std=0.2)  # untrained it would copy the reference
    for name in ("teacher", "adapted_teacher"):
        teacher.save_pretrained(workspace.model(name))
    return workspace


def film(seed: int) -> tuple[np.ndarray, PoseTrack]:
    """Frames (T, H, W, 3) uint8 and the poses in them."""
    rng = np.random.default_rng(seed)
    frames = np.full((FRAMES, SIZE, SIZE, 3), rng.integers(20, 100, 3), np.uint8)
    keypoints = np.full((FRAMES, sk.KEYPOINTS, 2), SIZE / 2, np.float32)
    keypoints[:, sk.FACE] = np.array([32, 14]) + rng.uniform(-6, 6, (1, len(sk.FACE), 2))
    keypoints[:, sk.SHOULDERS] = [(46, 28), (18, 28)]
    for hand, elbow, wrist, x in (
        (sk.LEFT_HAND, sk.LEFT_ELBOW, sk.LEFT_WRIST, 50),
        (sk.RIGHT_HAND, sk.RIGHT_ELBOW, sk.RIGHT_WRIST, 12),
    ):
        keypoints[:, elbow] = (x, 40)
        keypoints[:, wrist] = np.stack([np.full(FRAMES, x), 50 + 6 * np.sin(np.arange(FRAMES) + seed)], axis=-1)
        keypoints[:, hand] = keypoints[:, wrist, None] + rng.uniform(-3, 3, (1, len(hand), 2))
    for t in range(FRAMES):
        for x, y in keypoints[t, np.r_[sk.FACE, sk.HANDS]].astype(int):
            frames[t, y - 1 : y + 2, x - 1 : x + 2] = 220
    return frames, PoseTrack(keypoints, np.ones(keypoints.shape[:2], np.float32), (SIZE, SIZE))

"""Encode the frames and the skeleton pictures of every kept clip."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np

from cospeech.artifacts import Curated
from cospeech.config import Params, dumped
from cospeech.families.factory import pick_family
from cospeech.harness.context import Context
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames
from cospeech.plots.contact_sheet import save_sheet
from cospeech.pose.drawing import draw_skeletons
from cospeech.pose.track_file import load_track
from cospeech.utils.device import pick_device
from cospeech.utils.images import to_images

_AHEAD = 2
"""Clips that are read and drawn while another is encoded; bounds the memory too."""


class _Pictures(NamedTuple):
    """frames, skeletons: (T, H, W, 3) uint8."""

    clip: str
    frames: np.ndarray
    skeletons: np.ndarray


def run(params: Params, context: Context) -> StageReport:
    """Writes data/latents/CLIP.safetensors for every kept clip, training and test."""
    workspace, device = context.workspace, pick_device(params.compute.device)
    curated = Curated.load(workspace.curated)
    held_out = curated.clips("test")
    clips = [*curated.clips("train"), *held_out]
    if not clips:
        raise ValueError(f"{workspace.curated}: no clip is kept; see its reasons (cospeech ledger)")
    encoder = pick_family(dumped(params.wan)).encoder(workspace, device)
    folder = workspace.stage_report("encode_latents")
    count = channels = 0
    shown: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    with context.progress("encode latents", len(clips)) as bar:
        for pictures in _read_ahead(workspace, clips):
            encoded = encoder.encode(pictures.frames, pictures.skeletons, whole=pictures.clip in held_out)
            encoded.save(workspace.latents(pictures.clip))
            count, channels = count + len(pictures.frames), encoded.channels
            if len(shown) < 4:
                rebuilt = to_images(encoder.first(encoded))[0]
                shown.append((pictures.frames[0], rebuilt, pictures.skeletons[0]))
            bar.update(1)
    columns = [np.stack(column) for column in zip(*shown, strict=True)]
    sheet = save_sheet(folder / "encoded.png", columns)
    figures = {"clips": len(clips), "frames": count, "latent_channels": channels}
    report = StageReport(
        "encode_latents",
        f"{count} frames of {len(clips)} clips encoded",
        figures,
        pictures={"first frames: real, rebuilt, skeleton": sheet},
    )
    report.save(folder)
    return report


def _read_ahead(workspace: Workspace, clips: Sequence[str]) -> Iterator[_Pictures]:
    """Clips in order; reading and drawing go on in threads (both release the interpreter) while one is encoded."""
    waiting: deque[Future[_Pictures]] = deque()
    todo = iter(clips)
    with ThreadPoolExecutor(_AHEAD) as threads:
        waiting.extend(threads.submit(_load, workspace, clip) for clip in islice(todo, _AHEAD))
        while waiting:
            pictures = waiting.popleft().result()
            waiting.extend(threads.submit(_load, workspace, clip) for clip in islice(todo, 1))
            yield pictures


def _load(workspace: Workspace, clip: str) -> _Pictures:
    frames, track = read_frames(workspace.video(clip)), load_track(workspace.poses(clip))
    if len(frames) != len(track):
        raise ValueError(f"{clip}: {len(frames)} frames but poses of {len(track)}; run dvc repro")
    return _Pictures(clip, frames, draw_skeletons(track))

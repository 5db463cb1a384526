"""How fast both models are, in one process, by turns, on the same stretches.

Phases: motion (voice to keypoints), pose (skeletons drawn and encoded, the reference deformed to them), denoise, decode
(latents to pictures), encode (pictures to an H.264 file).
"""

import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cospeech.evaluation.segments import Stretch
from cospeech.families.base import PoseInput
from cospeech.media import write_video
from cospeech.metrics.speed import summarise
from cospeech.motion.model import MotionModel
from cospeech.motion.stream import draw_motion
from cospeech.pose.drawing import draw_skeletons
from cospeech.pose.track import PoseTrack
from cospeech.sampling.generation import Drawn, now
from cospeech.utils.device import cpu_info
from cospeech.utils.json_types import JSONObject

DRAWING = ("pose", "denoise", "decode")
"""Phases that `teacher_fps` and `student_fps` count: from keypoints and noise to pictures, as the paper counts."""
PHASES = ("motion", *DRAWING, "encode")


@dataclass(frozen=True)
class Around:
    """What teacher and student share. motion: None where there is no model of it. ffmpeg: None: the locked one."""

    motion: MotionModel | None
    motion_steps: int
    pose_encoder: PoseInput
    device: torch.device
    ffmpeg: Path | None

    def seconds(self, stretch: Stretch, frames: np.ndarray) -> dict[str, float]:
        """Of the phases before and after drawing, for a stretch of T frames; frames: pictures to encode."""
        part = slice(stretch.start, stretch.stop)
        taken = {"pose": self._timed(lambda: encode_skeletons(self.pose_encoder, stretch.track, self.device))}
        if self.motion is not None:
            model, mel, still = self.motion, stretch.sound.mel[part], stretch.track.keypoints[0]
            taken["motion"] = self._timed(lambda: draw_motion(model, mel, still, self.motion_steps, 0))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "take.mp4"
            taken["encode"] = self._timed(lambda: write_video(path, frames, stretch.fps, binary=self.ffmpeg))
        return taken

    def _timed(self, work: Callable[[], object]) -> float:
        began = now(self.device)
        work()
        return now(self.device) - began


@torch.no_grad()
def encode_skeletons(encoder: PoseInput, track: PoseTrack, device: torch.device) -> torch.Tensor:
    """The drawn skeletons as denoisers take them."""
    pictures = torch.from_numpy(draw_skeletons(track)).permute(0, 3, 1, 2).float().to(device) / 255
    return encoder.encode(pictures)


def speed_table(
    drawn: Mapping[str, Sequence[Drawn]],
    around: Sequence[Mapping[str, float]],
    arithmetic: Mapping[str, str],
    device: torch.device,
) -> JSONObject:
    """Frames per second of teacher and student, warmed up; not the same on every run.

    drawn: by model, a take a stretch. around: seconds of the phases that the models share, by stretch. arithmetic: what
    each model draws in.
    """
    table: JSONObject = {"device": device_name(device), "threads": torch.get_num_threads(), "clips": len(around)}
    for name, takes in drawn.items():
        counts = [len(take.frames) for take in takes]
        phases = _phases(takes, around)
        total = summarise([sum(each[phase] for phase in DRAWING) for each in phases], counts)
        whole = summarise([sum(each.values()) for each in phases], counts)
        table[f"{name}_fps"] = total.fps
        table[name] = {
            "arithmetic": arithmetic[name],
            "median_ms": total.median_ms,
            "p95_ms": total.p95_ms,
            "voice_to_file_fps": whole.fps,
        }
        for phase in PHASES:
            seconds = [each[phase] for each in phases if phase in each]
            summary = summarise(seconds, counts) if len(seconds) == len(counts) else None
            table[name][f"{phase}_ms"] = summary and summary.median_ms
            table[name][f"{phase}_p95_ms"] = summary and summary.p95_ms
    table["ratio"] = table["student_fps"] / table["teacher_fps"]
    return table


def _phases(takes: Sequence[Drawn], around: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Seconds of every phase of each stretch; what a model and its surroundings both do is added up."""
    return [
        {name: take.seconds.get(name, 0.0) + shared.get(name, 0.0) for name in {**shared, **take.seconds}}
        for take, shared in zip(takes, around, strict=True)
    ]


def device_name(device: torch.device) -> str:
    """The name of the GPU, or of the processor and how many of its cores are used."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = cpu_info("model name") or platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} threads"

"""Wan's stages at full size for a few steps: time and memory of each: `python -m benchmarks.wan_run WORKSPACE`.

For a GPU. WORKSPACE is a project on which `dvc repro curate` has run with params/paper.yaml, a training clip and a
held-out clip among its clips; it is copied to a temporary folder. The models have random weights (`wan_random.py`).
Every stage runs as it is, with few steps and one window a clip; then teacher and student draw a window of the held-out
clip, one after the other. A teacher's time is that of a few of its steps, times its steps.

Writes reports/benchmarks/wan_run.json.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.wan_random import save_random_pipelines
from cospeech.artifacts import Curated
from cospeech.config import Params, dumped, load_params
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import Window, middle_window
from cospeech.families.factory import pick_family
from cospeech.harness.context import Context
from cospeech.harness.files import write_json
from cospeech.harness.process_pool import process_pool
from cospeech.harness.workspace import Workspace
from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.generation import Sampler, draw, now
from cospeech.sampling.sections import student_sampling

STAGES = ("train_codec", "encode_latents", "train_teacher", "adapt_teacher", "teacher_targets", "distill_student")
FEW = 4
"""Sampling steps of the teacher while its stages run, and of which its speed is measured."""


@dataclass
class Watch:
    """A progress bar that keeps when each of its steps was done."""

    label: str
    done: list[float] = field(default_factory=list)

    def update(self, n: int = 1, **figures: float) -> None:
        if n:
            self.done.append(now(torch.device("cuda")))

    @property
    def seconds(self) -> float | None:
        """Median of a step, the first left out, which also compiles."""
        steps = [b - a for a, b in zip(self.done, self.done[1:], strict=False)]
        return median(steps) if steps else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--params", type=Path, default=Path("params/paper.yaml"))
    parser.add_argument("--teacher", choices=["1.3B", "14B"], default="1.3B")
    parser.add_argument("--steps", type=int, default=3, help="training steps of each stage")
    parser.add_argument("--takes", type=int, default=3, help="windows drawn by the student")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/wan_run.json"))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no GPU; on a CPU a single step of these models takes minutes")
    given = load_params(options.params)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(options.workspace / "data", root / "data")
        save_random_pipelines(root, options.teacher, "1.3B", torch.device("cuda"))
        params = shortened(given, root, options.steps)
        rows = [run_stage(name, params, Workspace(root)) for name in STAGES]
        speed = measure_speed(given, params, Workspace(root), options.takes)
    device = torch.cuda.get_device_name()
    write_json(options.output, {"device": device, "torch": torch.__version__, "stages": rows, "speed": speed})
    print(f"{device}, torch {torch.__version__}; written to {options.output}")


def shortened(params: Params, pipelines: Path, steps: int) -> Params:
    data = params.model_dump()
    data["compute"]["device"] = "cuda"
    data["wan"] |= {"hub": False, "windows": 1, "references": 2}
    data["wan"] |= {name: str(pipelines / name) for name in ("teacher", "student")}
    for section, key in (("teacher", "optimisation"), ("adapt", "optimisation"), ("student", "regress"),
                         ("student", "match")):  # fmt: skip
        data[section][key] |= {"steps": steps, "warmup": 1}
    data["teacher"]["steps"] = FEW
    data["targets"]["windows"] = 1
    return Params.model_validate(data)


def run_stage(name: str, params: Params, workspace: Workspace) -> dict[str, Any]:
    """Its seconds, its greatest memory, and the seconds of a step under each of its bars."""
    watches: list[Watch] = []

    @contextmanager
    def progress(label: str, total: int) -> Iterator[Watch]:
        watches.append(Watch(label))
        yield watches[-1]

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    import_module(f"stages.{name}").run(params, Context(workspace, lambda: process_pool(1), progress))
    seconds, gb = time.perf_counter() - began, torch.cuda.max_memory_allocated() / 1e9
    steps = {watch.label: watch.seconds for watch in watches if watch.seconds is not None}
    shown = ", ".join(f"{label} {each:.2f} s" for label, each in steps.items())
    print(f"{name:16} {seconds:6.1f} s {gb:6.1f} GB  a step: {shown or '-'}", flush=True)
    return {"stage": name, "seconds": seconds, "gb": gb, "steps": steps}


def measure_speed(given: Params, params: Params, workspace: Workspace, takes: int) -> dict[str, Any]:
    """Frames a second from noise and encoded poses to pictures, and where the time goes."""
    curated, device = Curated.load(workspace.curated), torch.device("cuda")
    family = pick_family(dumped(params.wan), params.teacher.precision, params.seed)
    codec, weights = family.codec(workspace, device), CellWeights(**params.teacher.weights.model_dump())
    window = middle_window(family.clips(workspace, curated, "test", weights)[0], params.targets.frames)
    frames, found = params.targets.frames, {}
    sparse = replace(student_sampling(params.student, params.teacher, params.attention, frames), stream=None)
    dense = replace(sparse, mask=())

    def sampler(model: str, config: SamplingConfig) -> Sampler:
        return Sampler(family.load(workspace, model, device, guided=True), codec, config)

    for name, model, steps, run, how in (
        ("teacher", "teacher", given.teacher.steps, FEW, dense),
        ("adapted teacher", "adapted_teacher", given.teacher.steps, FEW, sparse),
        ("student, dense", "student", params.student.steps, params.student.steps, dense),
        ("student", "student", params.student.steps, params.student.steps, sparse),
    ):
        made = sampler(model, replace(how, steps=run))
        found[name] = timed(made, window, takes if model == "student" else 1, steps / run)
        torch.cuda.empty_cache()
    skeletons = torch.zeros(frames, 3, params.media.size, params.media.size, device=device)
    pose_input, seconds = family.pose_input(workspace, device), []
    for _ in range(3):
        began = now(device)
        pose_input.encode(skeletons)
        seconds.append(now(device) - began)
    found["poses through the codec"] = {"seconds": median(seconds), "fps": frames / median(seconds)}
    for name, row in found.items():
        print(f"{name:24} " + "  ".join(f"{key} {value:.2f}" for key, value in row.items()), flush=True)
    return found


def timed(sampler: Sampler, window: Window, takes: int, longer: float) -> dict[str, float]:
    """Medians over `takes` after one that does not count; denoising is `longer` than what is run."""
    draw(replace(sampler, config=replace(sampler.config, steps=min(sampler.config.steps, 2))), window, 0, 0)
    drawn = [draw(sampler, window, 0, index) for index in range(takes)]
    denoise = median(each.seconds["denoise"] for each in drawn) * longer
    decode = median(each.seconds["decode"] for each in drawn)
    return {"denoise": denoise, "decode": decode, "fps": len(drawn[0].frames) / (denoise + decode)}


if __name__ == "__main__":
    main()

"""Input-aware sparse attention against dense attention, with and without a mask: `python -m benchmarks.attention`.

Poses of a real clip, one forward pass of self-attention alone (4 heads of 48, as the demo's networks have them). The
methods take turns and the fastest turn counts, so that other work on the machine disturbs all alike. The plan is made
once for all layers and steps of a model; its time is printed beside. Writes reports/benchmarks/attention.json.
"""

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from stages.lib.artifacts import Poses
from stages.lib.attention.mask import dense_attention, dense_mask
from stages.lib.attention.plan import AttentionPlan, kept_share, plan_attention
from stages.lib.attention.sparse import sparse_attention
from stages.lib.files import write_json
from stages.lib.media import read_frames
from stages.lib.pose.detectors import build_detector
from stages.lib.pose.mediapipe import MediaPipeOptions

SIZES = [(8, (16, 16)), (16, (16, 16)), (21, (16, 16))]
LARGE = [(16, (32, 32)), (21, (30, 52)), (21, (45, 80))]
HEADS, WIDTH = 4, 48
LONGEST_MASK = 20_000
"""Tokens beyond which the mask over all pairs is left out: it would take gigabytes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=Path("data/demo/clips/adam-1.mp4"), help="whose poses to use")
    parser.add_argument("--large", action="store_true", help="video-model sizes too: minutes on a CPU")
    parser.add_argument("--past-frames", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/attention.json"))
    options = parser.parse_args()

    sizes = SIZES + LARGE * options.large
    poses = detect(options.clip, max(frames for frames, _ in sizes))
    print(f"{'size':>10} {'dtype':>9} {'method':>11} {'ms':>9} {'x dense':>8} {'kept':>7} {'of possible':>12}")
    rows = []
    for frames, grid in sizes:
        for dtype in (torch.float32, torch.bfloat16):
            measured = measure(poses, frames, grid, dtype, options)
            show(measured)
            rows += measured
    write_json(options.output, {"past_frames": options.past_frames, "rows": rows})
    print(f"written to {options.output}")


def detect(clip: Path, frames: int) -> Poses:
    """Poses of the clip's first frames."""
    video = read_frames(clip)[:frames]
    if len(video) < frames:
        raise SystemExit(f"{clip} has {len(video)} frames, {frames} are needed; name another clip")
    return build_detector("mediapipe", MediaPipeOptions()).detect_video(video)


def make_plan(poses: Poses, frames: int, grid: tuple[int, int], past_frames: int) -> AttentionPlan:
    """The person stands in the middle square of the grid, as in a wide picture."""
    keypoints = poses.keypoints[:frames] / poses.size
    keypoints = np.stack([0.5 + (keypoints[..., 0] - 0.5) * grid[0] / grid[1], keypoints[..., 1]], axis=-1)
    return plan_attention(keypoints, poses.confidence[:frames], grid, past_frames)


def measure(
    poses: Poses, frames: int, grid: tuple[int, int], dtype: torch.dtype, options: argparse.Namespace
) -> list[dict[str, object]]:
    """A row a method."""
    tokens, device = grid[0] * grid[1], torch.device(options.device)
    plan = make_plan(poses, frames, grid, options.past_frames).to(device)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, frames * tokens, HEADS, WIDTH, generator=generator).to(device, dtype) for _ in range(3))
    methods: dict[str, Callable[[], torch.Tensor]] = {"dense": lambda: sdpa(q, k, v)}
    if frames * tokens <= LONGEST_MASK:
        mask = dense_mask(plan).to(device)[:, None]
        methods["dense_mask"] = lambda: sdpa(q, k, v, mask)
    methods["gathered"] = lambda: sparse_attention(q, k, v, plan)
    if frames * tokens <= LONGEST_MASK:
        torch.testing.assert_close(methods["gathered"](), dense_attention(q, k, v, plan), atol=2e-2, rtol=2e-2)
    kept = kept_share(plan)
    name = device_name(device)
    return [
        {
            "device": name,
            "dtype": str(dtype).removeprefix("torch."),
            "frames": frames,
            "tokens": tokens,
            "method": method,
            "seconds": seconds,
            "kept": 1.0 if method == "dense" else kept,
        }
        for method, seconds in in_turns(methods, options.repeats, device).items()
    ]


def sdpa(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2)


@torch.no_grad()
def in_turns(methods: dict[str, Callable[[], torch.Tensor]], repeats: int, device: torch.device) -> dict[str, float]:
    """Seconds of the fastest of `repeats` turns of each method, after one that does not count."""
    best = dict.fromkeys(methods, float("inf"))
    for turn in range(repeats + 1):
        for name, method in methods.items():
            begun = time.perf_counter()
            method()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn > 0:
                best[name] = min(best[name], time.perf_counter() - begun)
    return best


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def show(rows: list[dict[str, object]]) -> None:
    """`of possible`: the speed-up over dense as a share of what keeping so few pairs would allow."""
    seconds = {row["method"]: float(str(row["seconds"])) for row in rows}
    for row in rows:
        faster, kept = seconds["dense"] / seconds[row["method"]], float(str(row["kept"]))
        size = f"{row['frames']}x{row['tokens']}"
        print(
            f"{size:>10} {row['dtype']:>9} {row['method']:>11} {seconds[row['method']] * 1e3:9.2f} {faster:8.2f} "
            f"{kept:7.1%} {faster * kept:12.0%}"
        )


if __name__ == "__main__":
    main()

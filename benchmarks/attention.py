"""Input-aware sparse attention against dense attention, with and without a mask: `python -m benchmarks.attention`.

Poses of a real clip, one forward pass of self-attention alone (4 heads of 48, as the demo's networks have them; on a
GPU 12 of 128, as Wan 2.1 1.3B). The methods take turns and the fastest turn counts, so that other work on the machine
disturbs all alike. Plan and tables are made once for all layers and steps of a model; their time is printed beside. On
a GPU all is in bfloat16, and dense is FlashAttention 2 through PyTorch's SDPA, beside it cuDNN's from Hopper on.
`--backward` takes the backward pass in. Writes reports/benchmarks/attention.json.

`--clock cpu` counts processor time of one thread instead, for machines that others use too.
"""

import argparse
import platform
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from cospeech.attention.backends.sdpa_lse import takes_cudnn
from cospeech.attention.dispatch import Method, sparse_attention, two_part_backend
from cospeech.attention.plan import AttentionPlan, kept_share, plan_attention
from cospeech.harness.files import write_json
from cospeech.media import read_frames
from cospeech.pose.detectors import build_detector
from cospeech.pose.mediapipe import MediaPipeOptions
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import load_track

SIZES = {
    "demo": [(8, (16, 16)), (16, (16, 16)), (24, (16, 16))],
    "480p": [(21, (30, 52))],
    "720p": [(21, (45, 80))],
}
LONGEST_MASK = {"cpu": 6_000, "cuda": 40_000}
"""Tokens beyond which the mask over all pairs is left out: gigabytes, or minutes."""
Methods = dict[str, Callable[[], torch.Tensor]]


def main() -> None:
    options = parse()
    device = torch.device(options.device)
    if options.clock == "cpu":
        torch.set_num_threads(1)
    sizes = [size for name in options.sizes for size in SIZES[name]]
    heads, width = (12, 128) if device.type == "cuda" else (4, 48)
    heads, width = options.heads or heads, options.width or width
    poses = load_poses(options, max(frames for frames, _ in sizes))
    print(f"{device_name(device, options.clock)}, {heads} heads of {width}, {options.past_frames} past frames")
    print(f"{'size':>10} {'dtype':>9} {'method':>11} {'ms':>9} {'x dense':>8} {'kept':>7} {'of possible':>12}")
    rows = []
    for frames, grid in sizes:
        for dtype in [torch.bfloat16] if device.type == "cuda" else [getattr(torch, x) for x in options.dtypes]:
            plan = planned(poses, frames, grid, options)
            generator = torch.Generator().manual_seed(0)
            shape = (1, frames * grid[0] * grid[1], heads, width)
            qkv = [torch.randn(shape, generator=generator).to(device, dtype) for _ in range(3)]
            rows += measure(qkv, plan, options)
    write_json(options.output, {"past_frames": options.past_frames, "heads": heads, "width": width, "rows": rows})
    print(f"written to {options.output}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--clip", type=Path, default=Path("data/demo/clips/adam-1.mp4"), help="whose poses to use")
    source.add_argument("--poses", type=Path, help="keypoints of a real clip: a file of data/poses")
    parser.add_argument(
        "--sizes", nargs="+", choices=SIZES, default=["demo"], help="480p, 720p: 81 frames of Wan; minutes on a CPU"
    )
    parser.add_argument("--past-frames", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7, help="of a second or less; one where dense takes longer")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "bfloat16"], default=["float32", "bfloat16"])
    parser.add_argument("--heads", type=int)
    parser.add_argument("--width", type=int, help="of a head")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--backward", action="store_true", help="forward and backward together")
    parser.add_argument("--no-flex", action="store_true", help="leave FlexAttention out, which is compiled first")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/attention.json"))
    options = parser.parse_args()
    if options.clock == "cpu" and options.device != "cpu":
        parser.error("--clock cpu times a CPU")
    return options


def load_poses(options: argparse.Namespace, frames: int) -> PoseTrack:
    """Poses of a clip's first frames."""
    if options.poses is not None:
        track = load_track(options.poses)
    else:
        video = middle_square(read_frames(options.clip)[:frames])
        track = build_detector("mediapipe", MediaPipeOptions()).detect_video(video)
    if len(track) < frames:
        raise SystemExit(f"{options.poses or options.clip} has {len(track)} frames, {frames} are needed")
    return track


def middle_square(video_THWC: np.ndarray) -> np.ndarray:
    """The detector wants squares, and footage is rarely square."""
    height, width = video_THWC.shape[1:3]
    side = min(height, width)
    down, across = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(video_THWC[:, down : down + side, across : across + side])


def planned(track: PoseTrack, frames: int, grid: tuple[int, int], options: argparse.Namespace) -> AttentionPlan:
    """The plan with all its tables, and how long they took.

    The person stands in the middle square of the grid, as in a wide picture.
    """
    x, y = np.moveaxis(track[:frames].normalized, -1, 0)
    placed = np.stack([0.5 + (x - 0.5) * grid[0] / grid[1], y], axis=-1)
    wide = PoseTrack(placed, track[:frames].confidence, (1, 1))
    begun = time.perf_counter()
    plan = plan_attention(wide, grid, options.past_frames).to(options.device)
    between = time.perf_counter()
    plan.tables(two_part_backend(torch.device(options.device)))
    print(f"plan {1e3 * (between - begun):.1f} ms, its tables {1e3 * (time.perf_counter() - between):.1f} ms")
    return plan


def measure(qkv: list[torch.Tensor], plan: AttentionPlan, options: argparse.Namespace) -> list[dict[str, object]]:
    """A row a method."""
    batch, frames, tokens = plan.region_BTN.shape
    q, k, v = qkv
    methods: Methods = {"dense": partial(sdpa, q, k, v)}
    if q.device.type == "cuda":
        methods["dense"] = partial(sdpa, q, k, v, backend=SDPBackend.FLASH_ATTENTION)
    if takes_cudnn(q.transpose(1, 2)):
        methods["dense_cudnn"] = partial(sdpa, q, k, v, backend=SDPBackend.CUDNN_ATTENTION)
    fast: Method = "varlen" if q.device.type == "cuda" else "gathered"
    methods[fast] = partial(sparse_attention, q, k, v, plan, fast)
    if batch * frames * tokens <= LONGEST_MASK[q.device.type]:
        methods["dense_mask"] = partial(sparse_attention, q, k, v, plan, "dense")
        torch.testing.assert_close(methods[fast](), methods["dense_mask"](), atol=2e-2, rtol=2e-2)
    if not options.no_flex and (q.device.type == "cuda" or shutil.which("g++")):
        methods["flex"] = partial(sparse_attention, q, k, v, plan, "flex")
        torch.testing.assert_close(methods[fast](), methods["flex"](), atol=2e-2, rtol=2e-2)
    if options.backward:
        methods = {name: partial(both_ways, method, qkv) for name, method in methods.items() if name != "dense_mask"}
        for x in qkv:
            x.requires_grad_()
    kept, name = kept_share(plan), device_name(q.device, options.clock)
    rows: list[dict[str, object]] = [
        {
            "device": name,
            "dtype": str(q.dtype).removeprefix("torch."),
            "frames": frames,
            "tokens": tokens,
            "method": method,
            "seconds": seconds,
            "kept": 1.0 if method in ("dense", "dense_cudnn") else kept,
        }
        for method, seconds in in_turns(methods, options, q.device).items()
    ]
    show(rows)
    return rows


def sdpa(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    backend: SDPBackend | None = None,
) -> torch.Tensor:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    with nullcontext() if backend is None else sdpa_kernel(backend):
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)


def both_ways(method: Callable[[], torch.Tensor], qkv: list[torch.Tensor]) -> torch.Tensor:
    """Forward and backward."""
    with torch.enable_grad():
        out = method()
        return torch.autograd.grad(out, qkv, out.detach())[0]


@torch.no_grad()
def in_turns(methods: Methods, options: argparse.Namespace, device: torch.device) -> dict[str, float]:
    """Seconds of the fastest turn of each method, after one that does not count; long ones have one turn only."""
    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    best = dict.fromkeys(methods, float("inf"))
    for turn in range(options.repeats + 1):
        for name, method in methods.items():
            if turn > 1 and best[name] > 1:
                continue
            begun = clock()
            method()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn > 0:
                best[name] = min(best[name], clock() - begun)
    return best


def device_name(device: torch.device, clock: str) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{cpu_name()}, {torch.get_num_threads()} threads{', processor time' if clock == 'cpu' else ''}"


def cpu_name() -> str:
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return f"{platform.machine()} CPU"


def show(rows: list[dict[str, object]]) -> None:
    """`of possible`: the speed-up over dense as a share of what keeping so few pairs would allow."""
    seconds = {row["method"]: float(str(row["seconds"])) for row in rows}
    for row in rows:
        faster, kept = seconds["dense"] / seconds[row["method"]], float(str(row["kept"]))
        size = f"{row['frames']}x{row['tokens']}"
        print(
            f"{size:>10} {row['dtype']:>9} {row['method']:>11} {seconds[row['method']] * 1e3:9.2f} {faster:8.2f} "
            f"{kept:7.1%} {faster * kept:12.0%}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""The stage on clips of one second, in processes and in this process."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cospeech.artifacts import Ledger
from cospeech.artifacts.tables import LEDGER_COLUMNS
from cospeech.config import Params, load_params
from cospeech.harness.clip_cache import record_path
from cospeech.harness.context import Context
from cospeech.harness.files import file_digest
from cospeech.harness.process_pool import process_pool
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames, write_video
from cospeech.pose.detectors import build_detector
from cospeech.pose.mediapipe import MediaPipeOptions
from cospeech.pose.track_file import load_track
from stages import extract_poses

FRAMES = 12


class Bar:
    def update(self, n: int = 1, **figures: float) -> None: ...


@contextmanager
def no_bar(label: str, total: int) -> Iterator[Bar]:
    yield Bar()


class ThisProcess(Executor):
    """An executor that works at once and counts."""

    def __init__(self) -> None:
        self.worked: list[str] = []

    def submit(self, function: Callable, /, *arguments, **named) -> Future:  # type: ignore[no-untyped-def, override]
        future: Future = Future()
        self.worked.append(arguments[0].clip)
        try:
            future.set_result(function(*arguments, **named))
        except Exception as error:  # noqa: BLE001
            future.set_exception(error)
        return future


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return load_params(repository / "params.yaml")


@pytest.fixture(scope="module")
def footage(repository: Path) -> np.ndarray:
    """Frames of the embedded corpus."""
    return read_frames(sorted((repository / "data/demo/clips").glob("*.mp4"))[0])[: 3 * FRAMES]


@pytest.fixture
def workspace(tmp_path: Path, footage: np.ndarray) -> Workspace:
    workspace = Workspace(tmp_path)
    add_clips(workspace, footage, 2)
    return workspace


def add_clips(workspace: Workspace, footage: np.ndarray, count: int) -> None:
    """A ledger of `count` clips and one that ingest refused."""
    rows = []
    for index in range(count):
        clip = f"clip-{index}"
        rows.append({"clip": clip, "status": "ok", "frames": FRAMES})
        if not workspace.video(clip).is_file():
            workspace.clips.mkdir(parents=True, exist_ok=True)
            write_video(workspace.video(clip), footage[index * FRAMES : (index + 1) * FRAMES], 25)
    rows.append({"clip": "refused", "status": "refused", "reason": "no such file"})
    Ledger(pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))).save(workspace.ledger)


def run(params: Params, workspace: Workspace, executor: Executor | None = None) -> tuple[StageReport, list[str]]:
    executor = executor or ThisProcess()
    report = extract_poses.run(params, Context(workspace, lambda: executor, no_bar))
    return report, getattr(executor, "worked", [])


def digests(workspace: Workspace) -> dict[str, str]:
    return {path.name: file_digest(path) for path in sorted(workspace.poses("any").parent.iterdir())}


def test_processes_give_the_bytes_of_a_plain_loop(params: Params, workspace: Workspace) -> None:
    report, _ = run(params, workspace, process_pool(2))
    detector = build_detector("mediapipe", MediaPipeOptions(**params.poses.mediapipe.model_dump()))
    for clip in ("clip-0", "clip-1"):
        plain, parallel = detector.detect_video(read_frames(workspace.video(clip))), load_track(workspace.poses(clip))
        assert (plain.keypoints == parallel.keypoints).all()
        assert (plain.confidence == parallel.confidence).all()
        assert parallel.size == (256, 256)
    assert sorted(digests(workspace)) == ["clip-0.safetensors", "clip-1.safetensors"]
    assert report.figures["frames"] == 2 * FRAMES
    assert report.figures["face_share"] == 1
    assert report.pictures
    assert all(path.is_file() for path in report.pictures.values())
    assert StageReport.load(workspace.stage_report("extract_poses")).figures == report.figures


def test_two_runs_are_the_same_to_the_byte(params: Params, workspace: Workspace, tmp_path: Path) -> None:
    run(params, workspace)
    first, report = digests(workspace), file_digest(workspace.stage_report("extract_poses") / "report.json")
    for path in (workspace.store, workspace.poses("any").parent):
        path.rename(tmp_path / f"{path.name}-before")
    _, worked = run(params, workspace)
    assert worked == ["clip-0", "clip-1"]
    assert digests(workspace) == first
    assert file_digest(workspace.stage_report("extract_poses") / "report.json") == report


def test_one_clip_more_costs_one_extraction(params: Params, workspace: Workspace, footage: np.ndarray) -> None:
    assert run(params, workspace)[1] == ["clip-0", "clip-1"]
    before = digests(workspace)
    workspace.poses("clip-0").unlink()  # as DVC does before a run
    add_clips(workspace, footage, 3)
    report, worked = run(params, workspace)
    assert worked == ["clip-2"]
    assert report.timings["reused"] == 2
    assert before.items() <= digests(workspace).items()
    record = pd.read_parquet(record_path(workspace.store, "extract_poses"))
    assert dict(zip(record["clip"], record["reused"], strict=True)) == {
        "clip-0": True,
        "clip-1": True,
        "clip-2": False,
    }
    add_clips(workspace, footage, 1)  # clips that left the ledger leave no poses behind
    assert run(params, workspace)[1] == []
    assert sorted(digests(workspace)) == ["clip-0.safetensors"]


def test_other_options_are_another_extraction(params: Params, workspace: Workspace) -> None:
    run(params, workspace)
    other = params.poses.mediapipe.model_copy(update={"hand": 0.4})
    changed = params.model_copy(update={"poses": params.poses.model_copy(update={"mediapipe": other})})
    assert run(changed, workspace)[1] == ["clip-0", "clip-1"]
    assert run(params, workspace)[1] == []


def test_a_damaged_clip_is_named_and_the_others_are_kept(params: Params, workspace: Workspace) -> None:
    workspace.video("clip-0").write_bytes(workspace.video("clip-0").read_bytes()[:300])
    with pytest.raises(ValueError, match=r"poses: 1 of 2 clips failed.*\n  clip-0: "):
        run(params, workspace)
    assert workspace.poses("clip-1").is_file()
    assert not workspace.poses("clip-0").exists()


def test_frames_must_be_what_the_ledger_says(params: Params, workspace: Workspace, footage: np.ndarray) -> None:
    write_video(workspace.video("clip-1"), footage[:7], 25)
    with pytest.raises(ValueError, match=r"clip-1: .* has 7 frames, data/clips.parquet says 12"):
        run(params, workspace)


def test_missing_input_is_named(params: Params, workspace: Workspace, tmp_path: Path) -> None:
    workspace.video("clip-1").unlink()
    with pytest.raises(ValueError, match=r"clip clip-1: .*clip-1.mp4 is missing"):
        run(params, workspace)
    add_clips(workspace, np.zeros((0, 256, 256, 3), np.uint8), 0)
    with pytest.raises(ValueError, match="no usable clip"):
        run(params, workspace)


def test_dwpose_without_weights_says_where_they_go(params: Params, workspace: Workspace) -> None:
    chosen = params.model_copy(update={"poses": params.poses.model_copy(update={"backend": "dwpose"})})
    with pytest.raises(ValueError, match=r"poses.dwpose.detector: .*no such file; get the YOLOX"):
        run(chosen, workspace, ThreadPoolExecutor(1))

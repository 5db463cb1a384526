"""A project folder with clips made by hand, for stages after ingest, and a context that counts what is worked."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cospeech.artifacts import Ledger
from cospeech.artifacts.tables import LEDGER_COLUMNS
from cospeech.harness.context import Context
from cospeech.harness.workspace import Workspace
from cospeech.media import write_speech, write_video

RATE, FPS, SIZE = 16000, 25, 256


class Bar:
    def update(self, n: int = 1, **figures: float) -> None: ...


@contextmanager
def no_bar(label: str, total: int) -> Iterator[Bar]:
    yield Bar()


class Counting(Executor):
    """Works at once, in this process, and writes down on which clips."""

    def __init__(self, worked: list[str]) -> None:
        self.worked = worked

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        self.worked.append(arguments[0].clip)
        try:
            future.set_result(function(*arguments, **named))
        except Exception as error:  # noqa: BLE001 - as any executor
            future.set_exception(error)
        return future


class SmallProject:
    """Clips are added one by one; `context` and `worked` (the clips that were extracted since it was last emptied)."""

    def __init__(self, root: Path, rows: Sequence[dict[str, Any]] = ()) -> None:
        self.workspace = Workspace(root)
        self.workspace.clips.mkdir(parents=True, exist_ok=True)
        self.rows = list(rows)
        self.worked: list[str] = []
        self.context = Context(self.workspace, lambda: Counting(self.worked), no_bar)

    def add(
        self, clip: str, speech: np.ndarray, frames: int, video: np.ndarray | None = None,
        alignment: dict[str, Any] | None = None, **columns: Any,
    ) -> None:  # fmt: skip
        """`speech` (S,) at 16 kHz is cut or filled to `frames`; `video` (T, 256, 256, 3) is written if given."""
        samples = frames * RATE // FPS
        write_speech(self.workspace.speech(clip), np.pad(speech, (0, max(samples - len(speech), 0)))[:samples], RATE)
        if video is not None:
            write_video(self.workspace.video(clip), video, FPS)
        if alignment is not None:
            self.workspace.alignment(clip).write_text(json.dumps(alignment), encoding="utf-8")
        named = {"clip": clip, "speaker": clip, "licence": "CC0-1.0", "consent": "given in writing", "status": "ok"}
        self.rows.append({**dict.fromkeys(LEDGER_COLUMNS), **named, "frames": frames, "samples": samples, **columns})
        self.save()

    def refuse(self, clip: str, reason: str) -> None:
        """A row that ingest refused."""
        row = {**dict.fromkeys(LEDGER_COLUMNS), "clip": clip, "speaker": "s", "status": "refused", "reason": reason}
        self.rows.append(row)
        self.save()

    def save(self) -> None:
        Ledger(pd.DataFrame(self.rows, columns=list(LEDGER_COLUMNS))).save(self.workspace.ledger)

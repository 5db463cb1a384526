"""Is the held-out footage itself in step: the offset of sound and lips in every 2 s of it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cospeech.artifacts import Curated
from cospeech.datasets.sync_clips import stretch_offsets
from cospeech.evaluation.segments import load_sound
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames
from cospeech.metric_networks.lipsync import SyncJudge
from cospeech.models.perception.sync import WINDOW
from cospeech.pose.track_file import load_track
from cospeech.utils.json_types import JSONObject

SECONDS = 2.0
NEAR = 1
"""An offset is right if it is this many frames or fewer from none."""


def footage_offsets(
    workspace: Workspace, curated: Curated, clips: Sequence[str], judge: SyncJudge | None, fps: int
) -> pd.DataFrame:
    """clip, speaker, offset: a row a stretch of 2 s, a new one every 5 frames; none without a judge."""
    rows = []
    for clip in clips if judge is not None else ():
        assert judge is not None
        lips = judge.lips(read_frames(workspace.video(clip)), load_track(workspace.poses(clip)).keypoints)
        speech = judge.speech(load_sound(workspace, clip))
        found = stretch_offsets(lips, speech, round(SECONDS * fps), step=WINDOW)
        rows += [{"clip": clip, "speaker": curated.speaker(clip), "offset": offset} for offset in found]
    return pd.DataFrame(rows, columns=["clip", "speaker", "offset"])


def offset_table(offsets: pd.DataFrame) -> JSONObject:
    """How many of the stretches are found to be in step."""
    near = np.abs(offsets["offset"].to_numpy(int)) <= NEAR
    return {
        "stretches": len(offsets),
        "within_1_frame": float(near.mean()) if len(near) else None,
        "median": float(offsets["offset"].median()) if len(offsets) else None,
    }

"""The benchmark's own plain loop agrees with the detector: what it times are equal results."""

from pathlib import Path

import numpy as np

from benchmarks.poses import disagreement, plain_loop
from cospeech.media import read_frames, write_video
from cospeech.pose.mediapipe import MediaPipeDetector, MediaPipeOptions


def test_plain_loop_and_detector_agree(tmp_path: Path, person: np.ndarray) -> None:
    video = tmp_path / "clip.mp4"
    write_video(video, person[:8], 25)
    plain = plain_loop([video])
    poses = MediaPipeDetector(MediaPipeOptions()).detect_video(read_frames(video))
    assert len(plain[0]["pose"]) == 8
    assert disagreement(plain, [poses]) < 0.01
    plain[0]["left"] += 3
    assert disagreement(plain, [poses]) > 2.9

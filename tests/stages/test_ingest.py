"""Ingest on real files made for each case: what is good becomes a clip, what is not a ledger row with a reason."""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cospeech.artifacts import Ledger
from cospeech.config import load_params
from cospeech.footage.consent import Revocation, save_revocations
from cospeech.harness.context import Context
from cospeech.harness.files import file_digest
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import probe, read_frames, read_speech
from cospeech.provenance.lineage import revoke
from cospeech.utils.ffmpeg import find_ffmpeg
from stages import ingest
from tests.helpers.footage import another_ffmpeg, make_flash_and_beep, make_video, run_ffmpeg
from tests.helpers.s3 import S3Server
from tests.stages.small_project import Counting, no_bar

PAPERS = {"speaker": "ann", "licence": "CC0-1.0", "consent": "yes"}


class Footage:
    """A source folder and the project that ingests it at 64 pixels; `worked`: uris of the last run's jobs."""

    def __init__(self, root: Path, repository: Path) -> None:
        self.folder, self.workspace = root / "my footage", Workspace(root / "project")
        self.folder.mkdir()
        self.worked: list[str] = []
        self.ffmpeg: Path | None = None
        self._params = load_params(repository / "params.yaml")

    def manifest(self, *uris: str, **columns: list[str]) -> None:
        rows = [{"uri": uri, **PAPERS} for uri in uris]
        for name, values in columns.items():
            for row, value in zip(rows, values, strict=True):
                row[name] = value
        with (self.folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def run(self, source: str | None = None, endpoint: str | None = None) -> StageReport:
        section = self._params.ingest.model_copy(
            update={"source": source or str(self.folder), "endpoint_url": endpoint}
        )
        media = self._params.media.model_copy(update={"size": 64, "ffmpeg": self.ffmpeg})
        self.worked.clear()
        context = Context(self.workspace, lambda: Counting(self.worked), no_bar)
        return ingest.run(self._params.model_copy(update={"ingest": section, "media": media}), context)

    @property
    def ledger(self) -> pd.DataFrame:
        return Ledger.load(self.workspace.ledger).table

    def reason(self, uri: str) -> str:
        row = self.ledger.set_index("uri").loc[uri]
        assert row["status"] == "refused", row
        return str(row["reason"])

    def files(self) -> dict[str, bytes]:
        root = self.workspace.root
        places = [self.workspace.clips, self.workspace.stage_report("ingest")]
        found = {str(file.relative_to(root)): file.read_bytes() for place in places for file in place.rglob("*.*")}
        return found | {"ledger": self.workspace.ledger.read_bytes()}


@pytest.fixture
def footage(tmp_path: Path, repository: Path) -> Footage:
    return Footage(tmp_path, repository)


def test_one_bad_source_never_loses_the_others(footage: Footage) -> None:
    folder = footage.folder
    make_video(folder / "good.mp4")
    make_video(folder / "long.mp4", "-g", "10", seconds=4)
    whole = (folder / "long.mp4").read_bytes()
    (folder / "no header.mp4").write_bytes(whole[: len(whole) // 2])
    run_ffmpeg("-i", str(folder / "long.mp4"), "-c", "copy", "-movflags", "+faststart", str(folder / "front.mp4"))
    front = (folder / "front.mp4").read_bytes()
    (folder / "cut off.mp4").write_bytes(front[: len(front) // 2])
    (folder / "empty.mp4").write_bytes(b"")
    make_video(folder / "voice.m4a", picture=False)
    make_video(folder / "mute.mp4", sound=False)
    shutil.copy(folder / "good.mp4", folder / "copy.mp4")
    names = ["good.mp4", "no header.mp4", "cut off.mp4", "absent.mp4", "empty.mp4", "voice.m4a", "mute.mp4", "copy.mp4"]
    footage.manifest(*names, "long.mp4")
    report = footage.run()
    assert footage.ledger["uri"].tolist() == [*names, "long.mp4"]
    assert footage.ledger["status"].tolist() == ["ok", *["refused"] * 7, "ok"]
    for name, said in {
        "no header.mp4": "damaged or cut off",
        "cut off.mp4": "cut off",
        "absent.mp4": "no such file",
        "empty.mp4": "0 bytes",
        "voice.m4a": "no video stream",
        "mute.mp4": "no audio stream",
        "copy.mp4": "same video as in line 2",
    }.items():
        assert said in footage.reason(name)
    sha256 = footage.ledger.set_index("uri")["sha256"].dropna().to_dict()
    assert sha256 == {name: file_digest(folder / name) for name in (*names, "long.mp4") if name != "absent.mp4"}
    assert report.figures["clips"] == 2
    assert report.figures["refused"] == 7
    assert footage.ledger["clip"].is_unique
    assert {path.suffix for path in footage.workspace.clips.iterdir()} == {".mp4", ".wav"}
    assert len(list(footage.workspace.clips.iterdir())) == 4


def test_two_recordings_in_one_file_are_refused_with_the_time_of_the_break(footage: Footage) -> None:
    one, two = (make_video(footage.folder / f"{n}.ts", seconds=n).read_bytes() for n in (2, 3))
    (footage.folder / "joined.mts").write_bytes(one + two)
    footage.manifest("joined.mts", "2.ts")
    footage.run()
    assert "start again 1.96 s into" in footage.reason("joined.mts")
    assert footage.ledger["status"].tolist() == ["refused", "ok"]


def test_no_picture_is_no_speaker(footage: Footage) -> None:
    """A wide picture is searched for somebody, a square one is not."""
    for name, size in (("wide", "160x96"), ("square", "96x96")):
        sound = ["-f", "lavfi", "-i", "sine=duration=2"]
        black = ["-f", "lavfi", "-i", f"color=black:s={size}:r=25:d=2"]
        run_ffmpeg(*black, *sound, "-pix_fmt", "yuv420p", str(footage.folder / f"black {name}.mp4"))
        still = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=1:d=1"]
        run_ffmpeg(*still, *sound, "-pix_fmt", "yuv420p", "-frames:v", "1", str(footage.folder / f"one {name}.mkv"))
    footage.manifest("black wide.mp4", "black square.mp4", "one wide.mkv")
    footage.run()
    assert footage.reason("black wide.mp4").startswith("black: ")
    assert footage.reason("black square.mp4").startswith("black: ")
    assert footage.reason("one wide.mkv").startswith("no picture for 1.00 s")


def test_a_revoked_source_is_not_even_opened(footage: Footage) -> None:
    make_video(footage.folder / "a.mp4")
    make_video(footage.folder / "b.mp4", seconds=0.6)
    footage.manifest("a.mp4", "b.mp4")
    footage.run()
    first = footage.ledger.set_index("uri")
    mark = Revocation(first["clip"]["a.mp4"], "a.mp4", first["sha256"]["a.mp4"], "2026-01-02", "by letter")
    save_revocations(footage.workspace.revoked, [mark])
    (footage.folder / "a.mp4").rename(footage.folder / "renamed.mp4")
    footage.manifest("a.mp4", "b.mp4", "renamed.mp4")
    footage.run()
    assert str(footage.folder / "a.mp4") not in footage.worked
    assert footage.ledger["status"].tolist() == ["refused", "ok", "refused"]
    assert footage.reason("a.mp4") == footage.reason("renamed.mp4") == "consent: revoked on 2026-01-02 (by letter)"
    assert footage.ledger["clip"][0] == mark.clip
    assert footage.ledger["clip"].is_unique
    assert {path.stem for path in footage.workspace.clips.iterdir()} == {footage.ledger["clip"][1]}


def test_revoking_a_duplicate_reaches_its_twin(footage: Footage) -> None:
    make_video(footage.folder / "a.mp4", seconds=0.4)
    shutil.copy(footage.folder / "a.mp4", footage.folder / "b.mp4")
    footage.manifest("a.mp4", "b.mp4")
    footage.run()
    assert footage.ledger["status"].tolist() == ["ok", "refused"]
    row, new = revoke(footage.workspace, "b.mp4", "", "2026-01-02")
    assert (row["clip"], new) == (footage.ledger["clip"][1], True)
    footage.run()
    assert footage.ledger["reason"].tolist() == ["consent: revoked on 2026-01-02"] * 2
    assert footage.ledger["sha256"].tolist() == [file_digest(footage.folder / "a.mp4")] * 2


def test_a_row_twice_is_refused_once(footage: Footage) -> None:
    make_video(footage.folder / "good.mp4")
    footage.manifest("good.mp4", "good.mp4")
    footage.run()
    assert footage.ledger["status"].tolist() == ["ok", "refused"]
    assert "line 2" in footage.ledger["reason"][1]


def test_all_kinds_of_good_sources_become_the_same_kind_of_clip(footage: Footage) -> None:
    folder = footage.folder
    make_video(folder / "Zoë & 李雷 1.MOV")
    make_video(folder / "deep.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p10le")
    make_video(folder / "odd.mp4", "-vf", "format=yuv444p,scale=131:131", "-c:v", "libx264", "-pix_fmt", "yuv444p")
    run_ffmpeg("-display_rotation", "90", "-i", str(folder / "deep.mp4"), "-c", "copy", str(folder / "turned.mp4"))
    make_video(folder / "film.mkv", rate="24000/1001", seconds=2)
    drop = "not(eq(mod(n,5),2)+eq(mod(n,7),3))"
    make_flash_and_beep(folder / "uneven.mp4", "30", 1.2, 0, 0.3, drop)
    names = ["Zoë & 李雷 1.MOV", "deep.mp4", "odd.mp4", "turned.mp4", "film.mkv", "uneven.mp4"]
    footage.manifest(*names)
    footage.run()
    table = footage.ledger
    assert table["status"].tolist() == ["ok"] * 6, table["reason"].tolist()
    for row in table.itertuples():
        video, (speech, rate) = footage.workspace.video(row.clip), read_speech(footage.workspace.speech(row.clip))
        info, frames = probe(video), read_frames(video)
        assert (info.width, info.height, info.fps, info.audio) == (64, 64, 25, False)
        assert (len(frames), len(speech), rate) == (row.frames, row.samples, 16000)
        assert row.samples == row.frames * 640
        assert row.clip.isascii()
    uneven = table["clip"][5]
    flash = int(np.argmax(read_frames(footage.workspace.video(uneven)).mean((1, 2, 3)) > 128)) / 25
    beep = int(np.argmax(np.abs(read_speech(footage.workspace.speech(uneven))[0]) > 0.2)) / 16000
    assert abs(flash - beep) <= 1 / 25
    assert abs(flash - 1.2) <= 1 / 25


def test_what_was_mended_is_in_the_ledger(footage: Footage) -> None:
    whole, gap = make_video(footage.folder / "whole.mkv", seconds=2), footage.folder / "gap.mkv"
    run_ffmpeg("-i", str(whole), "-c:v", "copy", "-af", "aselect='not(between(t,0.5,1.5))'", "-c:a", "flac", str(gap))
    footage.manifest("whole.mkv", "gap.mkv")
    footage.run()
    assert footage.ledger["status"].tolist() == ["ok", "ok"]
    notes = footage.ledger.set_index("uri")["notes"]
    assert pd.isna(notes["whole.mkv"])
    assert notes["gap.mkv"].startswith("no sound from 0.")


def test_one_clip_more_costs_one_clip_and_two_runs_give_the_same_bytes(footage: Footage) -> None:
    for index in range(3):
        make_video(footage.folder / f"{index}.mp4", seconds=0.4 + 0.2 * index)
    footage.manifest("0.mp4", "1.mp4")
    footage.run()
    first = footage.files()
    assert footage.run().timings["reused"] == 2
    assert footage.files() == first
    footage.manifest("0.mp4", "1.mp4", "2.mp4")
    assert footage.run().timings["reused"] == 2
    record = pd.read_parquet(footage.workspace.store / "records/ingest.parquet")
    assert record["reused"].tolist() == [True, True, False]
    footage.manifest("1.mp4")
    footage.run()
    assert len(list(footage.workspace.clips.iterdir())) == 2
    shutil.rmtree(footage.workspace.store)
    footage.manifest("0.mp4", "1.mp4")
    assert footage.run().timings["reused"] == 0
    assert footage.files() == first


def test_an_ffmpeg_on_path_does_not_matter(footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bin/ffmpeg"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(broken.parent), prepend=os.pathsep)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(broken))
    find_ffmpeg.cache_clear()
    make_video(footage.folder / "a.mp4", seconds=0.4)
    footage.manifest("a.mp4")
    footage.run()
    row = footage.ledger.iloc[0]
    assert (row["status"], row["ffmpeg"]) == ("ok", find_ffmpeg().version)


def test_another_ffmpeg_is_used_kept_apart_and_told(footage: Footage, tmp_path: Path) -> None:
    make_video(footage.folder / "a.mp4", seconds=0.4)
    footage.manifest("a.mp4", "absent.mp4")
    footage.run()
    before = footage.files()
    footage.ffmpeg = another_ffmpeg(tmp_path / "ffmpeg", "5.1")
    assert footage.run().timings["reused"] == 0
    assert footage.ledger["ffmpeg"][0] == "5.1"
    footage.ffmpeg.write_text('#!/bin/sh\n[ "$1" = -version ] && echo "ffmpeg version 5.1" || exit 1\n')
    assert footage.run().timings["reused"] == 1
    shutil.rmtree(footage.workspace.store)
    footage.run()
    assert "ffmpeg failed" in footage.reason("a.mp4")
    footage.ffmpeg = None
    footage.run()
    assert footage.files() == before


def test_alignment_comes_along_and_is_checked(footage: Footage) -> None:
    words = {"words": [{"text": "hi", "start": 0.1, "end": 0.4}], "phones": []}
    for index, end in enumerate((0.4, 9.0)):
        make_video(footage.folder / f"{index}.mp4", seconds=1 + index / 5)
        words["words"][0]["end"] = end
        (footage.folder / f"{index}.json").write_text(json.dumps(words))
    footage.manifest("0.mp4", "1.mp4", alignment=["0.json", "1.json"], split=["test", ""])
    footage.run()
    assert footage.ledger["status"].tolist() == ["ok", "refused"]
    assert footage.ledger["split"][0] == "test"
    clip = footage.ledger["clip"][0]
    assert json.loads(footage.workspace.alignment(clip).read_text())["words"][0]["text"] == "hi"
    assert "9.0" in footage.reason("1.mp4")
    assert len(list(footage.workspace.clips.iterdir())) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("uri,speaker,licence,consent\n", "no rows"),
        ("file,speaker,license,consent\na.mp4,a,b,c\n", "column uri is missing.*did you mean licence.*Found: file"),
        ("uri;speaker;licence;consent\na.mp4;a;b;c\n", "use commas"),
        ("uri,speaker,licence,consent\na.mp4,a,b,c,d\n", "line 2"),
        ("uri,speaker,licence,consent\nZo\udceb.mp4,a,b,c\n", "not UTF-8 text"),  # Latin-1
        ("uri,speaker,licence,consent,split\na.mp4,a,b,c,dev\n", "'dev'"),
        (None, "no such file"),
    ],
)
def test_a_wrong_manifest_keeps_what_was_there(footage: Footage, text: str | None, said: str) -> None:
    make_video(footage.folder / "good.mp4", seconds=0.4)
    footage.manifest("good.mp4")
    footage.run()
    before = footage.files()
    manifest = footage.folder / "manifest.csv"
    manifest.unlink() if text is None else manifest.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ValueError, match=said):
        footage.run()
    assert footage.files() == before


def test_the_speaker_is_found_in_real_footage(footage: Footage, real_clip_30fps: Path) -> None:
    short = ["-t", "1", "-vf", "scale=540:960", "-preset", "ultrafast", str(footage.folder / "real.mp4")]
    run_ffmpeg("-i", str(real_clip_30fps), *short)
    make_video(footage.folder / "nobody.mp4", size="160x96")
    footage.manifest("real.mp4", "nobody.mp4")
    footage.run()
    row = footage.ledger.iloc[0]
    assert (row["width"], row["height"], row["frames"]) == (540, 960, 25)
    assert 300 < row["crop_size"] <= 540
    assert 150 < row["crop_y"] < 260  # the hair begins at about 260
    assert "no speaker" in footage.reason("nobody.mp4")


def test_footage_on_s3(footage: Footage, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = s3_server.endpoint
    make_video(footage.folder / "take 1é.mp4", seconds=0.4)
    footage.manifest("take 1é.mp4", "absent.mp4", "s3://elsewhere/a.mp4")
    shutil.copytree(footage.folder, s3_server.bucket("takes") / "may")
    footage.run("s3://takes/may", endpoint)
    assert footage.ledger["status"].tolist() == ["ok", "refused", "refused"]
    assert "no such object" in footage.reason("absent.mp4")
    assert "bucket elsewhere" in footage.reason("s3://elsewhere/a.mp4")
    clip = footage.workspace.video(footage.ledger["clip"][0]).read_bytes()
    assert footage.run("s3://takes/may", endpoint).timings["reused"] == 1
    before = footage.files()
    with pytest.raises(ValueError, match="bucket missing"):
        footage.run("s3://missing/may", endpoint)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ValueError, match="credentials"):
        footage.run("s3://takes/may", endpoint)
    assert footage.files() == before
    assert footage.workspace.video(footage.ledger["clip"][0]).read_bytes() == clip

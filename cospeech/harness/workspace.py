"""Where every artifact lives: the only place that knows file names."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """The files of one project folder. Paths only; nothing is opened or made."""

    root: Path

    # data
    @property
    def ledger(self) -> Path:
        return self.root / "data/clips.parquet"

    @property
    def sources(self) -> Path:
        """What the sources looked like when they were last listed."""
        return self.root / "data/sources.json"

    @property
    def revoked(self) -> Path:
        """Sources whose consent was taken back; a table of the user's, in git."""
        return self.root / "data/revoked.csv"

    @property
    def clips(self) -> Path:
        return self.root / "data/clips"

    def video(self, clip: str) -> Path:
        return self.clips / f"{clip}.mp4"

    def speech(self, clip: str) -> Path:
        return self.clips / f"{clip}.wav"

    def alignment(self, clip: str) -> Path:
        """Words and phones with times that came with the source; absent for most footage."""
        return self.clips / f"{clip}.json"

    def poses(self, clip: str) -> Path:
        return self.root / "data/poses" / f"{clip}.safetensors"

    def audio(self, clip: str) -> Path:
        return self.root / "data/audio" / f"{clip}.safetensors"

    @property
    def words(self) -> Path:
        return self.root / "data/words.parquet"

    @property
    def curated(self) -> Path:
        return self.root / "data/curated.parquet"

    def latents(self, clip: str) -> Path:
        return self.root / "data/latents" / f"{clip}.safetensors"

    @property
    def targets(self) -> Path:
        return self.root / "data/targets"

    # models
    def model(self, name: str) -> Path:
        """`name` is one of codec, deformer, teacher, adapted_teacher, student, motion, sync, export."""
        return self.root / "models" / name

    @property
    def ranges(self) -> Path:
        """What the student's and the codec's layers take in; empty where nothing is drawn in 8 bits."""
        return self.root / "models/ranges.json"

    # reports
    def stage_report(self, stage: str) -> Path:
        """Folder of report.json, pictures and curves that `stage` leaves for people."""
        return self.root / "reports/stages" / stage

    @property
    def quality(self) -> Path:
        """What is the same on every run; `metrics` adds speed."""
        return self.root / "reports/quality.json"

    @property
    def metrics(self) -> Path:
        return self.root / "reports/metrics.json"

    @property
    def ablation(self) -> Path:
        """Rows of the ablation table; absent where it was not run."""
        return self.root / "reports/ablation.json"

    @property
    def plots(self) -> Path:
        """Tables for `dvc plots`."""
        return self.root / "reports/plots"

    @property
    def samples(self) -> Path:
        return self.root / "reports/samples"

    @property
    def html_report(self) -> Path:
        return self.root / "reports/report.html"

    # outside DVC: survives a killed or repeated run
    @property
    def store(self) -> Path:
        return self.root / ".cospeech/store"

    @property
    def exports(self) -> Path:
        """Provenance of every export ever made here."""
        return self.root / ".cospeech/exports"

    @property
    def signing(self) -> Path:
        """The project's own key."""
        return self.root / ".cospeech/signing"

    @property
    def scratch(self) -> Path:
        return self.root / ".cospeech/scratch"


def clip_id(name: str, digest: str) -> str:
    """A file name for a clip: the readable ASCII part of `name` and the first 8 digits of the hex `digest`.

    >>> clip_id("Äpfel & Birnen.MOV", "0123456789abcdef")
    'apfel-birnen-01234567'
    """
    stem = unicodedata.normalize("NFKD", Path(name).stem).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40]
    return f"{slug or 'clip'}-{digest[:8]}"

"""Paths of all artifacts; no other module knows file names."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """The paths of one project folder. Nothing is opened or created."""

    root: Path

    # data
    @property
    def ledger(self) -> Path:
        return self.root / "data/clips.parquet"

    @property
    def sources(self) -> Path:
        """Fingerprints of the sources when they were last listed."""
        return self.root / "data/sources.json"

    @property
    def revoked(self) -> Path:
        """Table of sources whose consent was revoked; belongs to the user, tracked by git."""
        return self.root / "data/revoked.csv"

    @property
    def clips(self) -> Path:
        return self.root / "data/clips"

    def video(self, clip: str) -> Path:
        return self.clips / f"{clip}.mp4"

    def speech(self, clip: str) -> Path:
        return self.clips / f"{clip}.wav"

    def alignment(self, clip: str) -> Path:
        """Words and phones with times, supplied with the source; absent for most footage."""
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
        """Folder of a model: codec, deformer, teacher, adapted_teacher, student, motion, sync or export."""
        return self.root / "models" / name

    @property
    def ranges(self) -> Path:
        """Input ranges of the student's and the codec's layers, for int8; empty where int8 is off."""
        return self.root / "models/ranges.json"

    @property
    def measures(self) -> Path:
        """Networks of measures that `cospeech measures fetch` brings; each may be absent."""
        return self.root / "models/measures"

    # reports
    def stage_report(self, stage: str) -> Path:
        """Folder of report.json, images and curves that `stage` writes for people."""
        return self.root / "reports/stages" / stage

    @property
    def quality(self) -> Path:
        """Metrics that are the same on every run; `metrics` adds speed."""
        return self.root / "reports/quality.json"

    @property
    def metrics(self) -> Path:
        return self.root / "reports/metrics.json"

    @property
    def ablation(self) -> Path:
        """Rows of the ablation table; absent if the ablation has not run."""
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

    # outside DVC: kept when a run is killed or repeated
    @property
    def store(self) -> Path:
        return self.root / ".cospeech/store"

    @property
    def exports(self) -> Path:
        """Provenance of every export made in this project."""
        return self.root / ".cospeech/exports"

    @property
    def signing(self) -> Path:
        """The project's own signing key and certificates."""
        return self.root / ".cospeech/signing"

    @property
    def scratch(self) -> Path:
        return self.root / ".cospeech/scratch"


def clip_id(name: str, digest: str) -> str:
    """Return a file name for a clip: the ASCII part of `name` and the first 8 digits of the hex `digest`.

    >>> clip_id("Äpfel & Birnen.MOV", "0123456789abcdef")
    'apfel-birnen-01234567'
    """
    stem = unicodedata.normalize("NFKD", Path(name).stem).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40]
    return f"{slug or 'clip'}-{digest[:8]}"

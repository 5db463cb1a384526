"""The report of a stage run for people: reproducible figures, and timings that vary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cospeech.harness.files import read_json, write_json

Figure = float | int | str | bool | None


@dataclass(frozen=True)
class StageReport:
    """Figures and images of one stage run.

    figures: must not depend on speed, time or machine load; they are saved, and hashed by DVC. timings: seconds, frames
    per second, counts of reused clips; shown on the dashboard and the terminal only. pictures: caption -> PNG file in
    the stage's report folder.
    """

    stage: str
    summary: str
    figures: Mapping[str, Figure]
    timings: Mapping[str, Figure] = field(default_factory=dict)
    pictures: Mapping[str, Path] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        pictures = {caption: path.relative_to(folder).as_posix() for caption, path in self.pictures.items()}
        write_json(
            folder / "report.json",
            {"stage": self.stage, "summary": self.summary, "figures": dict(self.figures), "pictures": pictures},
        )

    @classmethod
    def load(cls, folder: Path) -> "StageReport":
        saved = read_json(folder / "report.json")
        pictures = {caption: folder / name for caption, name in saved["pictures"].items()}
        return cls(saved["stage"], saved["summary"], saved["figures"], pictures=pictures)

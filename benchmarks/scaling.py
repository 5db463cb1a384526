"""What a clip costs: processor seconds of the stages that work clip by clip, and their bytes, on the embedded corpus.

Processor time (this process and its children), not wall time, so that other work on the machine disturbs it little. One
pair of clips warms up (models are loaded once a worker), the others are counted. docs/guides/scaling.md does the
arithmetic.
"""

import argparse
import csv
import json
import resource
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from cospeech.config import load_params
from cospeech.harness.context import Context
from cospeech.harness.files import write_json
from cospeech.harness.progress import no_progress
from cospeech.harness.workspace import Workspace
from cospeech.pose.track_file import load_track
from stages import curate, extract_audio, extract_poses, ingest

ROOT = Path(__file__).parents[1]
STAGES = {
    "ingest": ingest.run,
    "extract_poses": extract_poses.run,
    "extract_audio": extract_audio.run,
    "curate": curate.run,
}


def processor_seconds() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def measure(clips: int) -> dict[str, object]:
    """Seconds and bytes a clip by stage."""
    with (ROOT / "data/demo/manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: row["split"] == "train")
    rows = [rows[0], rows[-1], *rows[1 : clips + 1]]  # curate wants one to test and one to train
    params = load_params(ROOT / "params.yaml")
    with TemporaryDirectory() as folder:
        root = Path(folder)
        params = params.model_copy(update={"ingest": params.ingest.model_copy(update={"source": str(root / "source")})})
        context = Context(Workspace(root / "project"), lambda: ThreadPoolExecutor(1), no_progress)
        seconds: dict[str, float] = {}
        for count in (2, len(rows)):  # what the second round finds done it takes from the store
            _source(root / "source", rows[:count])
            for name, run in STAGES.items():
                begun = processor_seconds()
                run(params, context)
                seconds[name] = (processor_seconds() - begun) / clips
        table = context.workspace
        stored = sum(path.stat().st_size for path in (table.root / "data").rglob("*") if path.is_file()) / len(rows)
        frames = sum(len(load_track(path)) for path in table.poses("x").parent.glob("*"))
    return {
        "clips": clips,
        "seconds_of_footage": frames / len(rows) / 25,
        "processor_seconds": seconds,
        "bytes": stored,
    }


def _source(folder: Path, rows: list[dict[str, str]]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for name in {row[key] for row in rows for key in ("uri", "alignment") if row.get(key)}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "data/demo" / name, folder / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=4)
    found = measure(parser.parse_args().clips)
    write_json(ROOT / "reports/benchmarks/scaling.json", found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

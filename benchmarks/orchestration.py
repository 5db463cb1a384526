"""What orchestration costs: a no-op `dvc repro`, Prefect around a stage, `cospeech --help`.

Medians of wall and of processor time, with the machine's load beside them: on a busy machine the latter is what counts.
Run it in a project where `dvc repro` has nothing to do. Limits: 3 s, 1.5 s, 0.3 s.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from flows import server
from flows.environment import prepare_environment
from stages.lib.files import write_json

ROOT = Path(__file__).parents[1]
NOBODY = "http://127.0.0.1:9/api"
STAGE = """
import sys
from pathlib import Path
from flows.stage import execute
from stages.lib.report import StageReport
sys.exit(execute("nothing", lambda: lambda params, context: StageReport("nothing", "done", {}), Path.cwd()))
"""


def timed(run: Callable[[], object], times: int) -> dict[str, float]:
    """Medians over `times` runs, after one that is not counted."""
    walls, processors = [], []
    for _ in range(times + 1):
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        run()
        walls.append(time.monotonic() - begun)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processors.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"seconds": statistics.median(walls[1:]), "processor_seconds": statistics.median(processors[1:])}


def command(*arguments: str, folder: Path = ROOT, **variables: str) -> None:
    subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={**os.environ, **variables}, check=True, capture_output=True
    )


def keep_bytecode(folder: Path) -> None:
    """As on a user's machine, where modules are compiled once; the run that is not counted fills the folder."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def measure(times: int, project: Path | None) -> dict[str, object]:
    with TemporaryDirectory() as name:
        folder = Path(name) / "project"
        folder.mkdir()
        keep_bytecode(Path(name) / "bytecode")
        found: dict[str, object] = {"help": timed(lambda: command("-m", "stages.cli", "--help"), times)}
        shutil.copy(ROOT / "params.yaml", folder)
        os.environ.pop("PREFECT_API_URL", None)
        path = str(ROOT)
        plain = timed(lambda: command("-c", STAGE, folder=folder, PYTHONPATH=path, PREFECT_API_URL=NOBODY), times)
        url = server.start(folder)
        try:
            watched = timed(lambda: command("-c", STAGE, folder=folder, PYTHONPATH=path, PREFECT_API_URL=url), times)
        finally:
            server.stop(folder)
        found |= {"stage_plain": plain, "stage_watched": watched}
        found["prefect"] = {key: watched[key] - plain[key] for key in plain}
        if project is not None:
            found["dvc_repro"] = timed(lambda: command("-m", "dvc", "repro", folder=project), times)
    return {**found, "load": os.getloadavg()[0], "cores": len(os.sched_getaffinity(0))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--project", type=Path, default=None, help="folder of a finished run, for the no-op dvc repro")
    options = parser.parse_args()
    prepare_environment(ROOT)
    found = measure(options.times, options.project)
    write_json(ROOT / "reports/benchmarks/orchestration.json", found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

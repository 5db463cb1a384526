"""What orchestration costs: a no-op `dvc repro`, Prefect around a stage, `cospeech --help`.

Medians of wall and of processor time, with the machine's load beside them: on a busy machine the latter is what counts.
Prefect around a stage: `prefect` under the run of a pipeline, as every stage of a `dvc repro` has it, `prefect_alone`
for a stage that somebody starts by itself, which gets a deployment too. Run it in a project where `dvc repro` has
nothing to do. Limits: 3 s, 1.5 s, 0.3 s.
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

from cospeech.harness.files import write_json
from flows import server
from flows.process.environment import PARENT_RUN, prepare_environment

ROOT = Path(__file__).parents[1]
NOBODY = "http://127.0.0.1:9/api"
STAGE = """
import sys
from pathlib import Path
from flows.stage import execute
from cospeech.harness.stage_report import StageReport
sys.exit(execute("nothing", lambda: lambda params, context: StageReport("nothing", "done", {}), Path.cwd()))
"""
PIPELINE_RUN = """
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.states import Running
with get_client(sync_client=True) as client:
    print(client.create_flow_run(Flow(lambda: None, name="pipeline"), state=Running()).id)
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


def command(*arguments: str, folder: Path = ROOT, **variables: str) -> str:
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def keep_bytecode(folder: Path) -> None:
    """As on a user's machine, where modules are compiled once; the run that is not counted fills the folder."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def measure(times: int, project: Path | None) -> dict[str, object]:
    with TemporaryDirectory() as name:
        folder = Path(name) / "project"
        folder.mkdir()
        keep_bytecode(Path(name) / "bytecode")
        found: dict[str, object] = {"help": timed(lambda: command("-m", "cospeech.cli", "--help"), times)}
        shutil.copy(ROOT / "params.yaml", folder)
        found |= around_a_stage(folder, times)
        if project is not None:
            found["dvc_repro"] = timed(lambda: command("-m", "dvc", "repro", folder=project), times)
    return {**found, "load": os.getloadavg()[0], "cores": len(os.sched_getaffinity(0))}


def around_a_stage(folder: Path, times: int) -> dict[str, dict[str, float]]:
    """A stage that does nothing, without Prefect and with it, and what it adds."""
    os.environ.pop("PREFECT_API_URL", None)

    def stage(**variables: str) -> dict[str, float]:
        return timed(lambda: command("-c", STAGE, folder=folder, PYTHONPATH=str(ROOT), **variables), times)

    found = {"stage_plain": stage(PREFECT_API_URL=NOBODY)}
    url = server.start(folder)
    try:
        run = command("-c", PIPELINE_RUN, folder=folder, PREFECT_API_URL=url).strip()
        found["stage_watched"] = stage(PREFECT_API_URL=url, **{PARENT_RUN: run})
        found["stage_watched_alone"] = stage(PREFECT_API_URL=url)
    finally:
        server.stop(folder)
    for name, watched in (("prefect", "stage_watched"), ("prefect_alone", "stage_watched_alone")):
        found[name] = {key: found[watched][key] - found["stage_plain"][key] for key in found[watched]}
    return found


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

"""Start the dashboard, run the whole pipeline, print where the results are: `make demo`."""

import sys
import time
from pathlib import Path

from cospeech.harness.workspace import Workspace
from flows import pipeline, server
from flows.process.environment import prepare_environment

SAMPLES = 6


def main() -> int:
    root = Path.cwd()
    prepare_environment(root)
    url = None
    try:
        url = server.start(root)
        print(f"dashboard: {server.dashboard(url)}", flush=True)
    except ValueError as error:
        print(f"running without the dashboard: {error}", file=sys.stderr, flush=True)
    started = time.monotonic()
    status = pipeline.main([])
    if status == 0:
        print(closing(Workspace(root), url, time.monotonic() - started))
    return status


def closing(workspace: Workspace, url: str | None, seconds: float) -> str:
    samples = sorted(workspace.samples.rglob("*.mp4"))
    lines = ["", f"Done in {seconds / 60:.1f} minutes.", f"  report     {workspace.html_report}"]
    lines += [f"  sample     {path}" for path in samples[:SAMPLES]]
    lines += [f"  samples    {workspace.samples} ({len(samples)} videos)"]
    lines += [f"  model      {workspace.model('export')}"]
    lines += [f"  dashboard  {server.dashboard(url)}   (`make stop` ends it)"] if url else []
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

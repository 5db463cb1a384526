"""Remove the outputs of runs from this folder; `dvc repro` restores them from DVC's cache, which stays."""

import shutil
import sys
from pathlib import Path

from flows.graph import outputs
from flows.process.environment import state_folder
from flows.server import stop


def clean(root: Path) -> list[Path]:
    """Delete all outputs in dvc.yaml, the ablation, checkpoints of unfinished training; return what was deleted."""
    removed = []
    ablation = [root / "reports/ablation", root / "reports/ablation.json", state_folder(root) / "ablation"]
    for path in [*outputs(root), *ablation, state_folder(root) / "scratch"]:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
        else:
            continue
        removed.append(path)
    return removed


def main() -> int:
    root = Path.cwd()
    stop(root)
    for path in clean(root):
        print(f"removed {path.relative_to(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

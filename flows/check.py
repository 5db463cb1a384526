"""Check that every parameter file loads and that dvc.yaml agrees with the code; part of `make lint`."""

import sys
from pathlib import Path

from cospeech.config import Params, ParamsError, load_params
from flows.graph import load_files, problems


def check(root: Path) -> list[str]:
    """Return one sentence per problem."""
    found = []
    for path in [root / "params.yaml", *sorted((root / "params").glob("*.yaml"))]:
        try:
            load_params(path)
        except ParamsError as error:
            found.append(str(error))
    for file, stages in load_files(root).items():
        for stage, entry in stages.items():
            strange = sorted(set(entry.get("params", [])) - set(Params.model_fields))
            found += [f"{file}: {stage}: params: there is no section {name}" for name in strange]
            if (root / f"stages/{stage}.py").is_file():
                found += problems(root, stage)
            else:
                found.append(f"{file}: {stage}: stages/{stage}.py does not exist")
    return found


def main() -> int:
    found = check(Path.cwd())
    print("\n".join(found) or "parameter files and dvc.yaml agree with the code")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

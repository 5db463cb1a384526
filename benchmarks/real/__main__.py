"""Measure the product on real people: footage, lips from real voices, somebody's own model.

    python -m benchmarks.real [--footage] [--lips]

Without a choice both. The clips are those of ../shared/media, or of the folder that COSPEECH_TEST_MEDIA names; where it
is absent nothing is measured, and the reason is said. Prints tables and writes reports/benchmarks/real.json; curves lie
beside it.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.real.footage import Figures, extract, measure_footage
from benchmarks.real.labels import ROOT, load_labels, media_folder
from benchmarks.real.lips import measure_lips, shots
from cospeech.config import load_params
from cospeech.harness.files import read_json, write_json
from cospeech.motion.model import MotionModel

OUT = ROOT / "reports/benchmarks"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--footage", action="store_true", help="what is kept, what is found")
    parser.add_argument("--lips", action="store_true", help="lips from real voices; needs models/motion")
    parser.add_argument("--root", type=Path, default=ROOT, help="project with models/motion")
    options = parser.parse_args()
    everything = not (options.footage or options.lips)
    media = media_folder()
    if media is None:
        print("no real clips: ../shared/media is absent, and COSPEECH_TEST_MEDIA names no folder")
        return 0
    params, labels = load_params(ROOT / "params.yaml"), load_labels()
    out = OUT / "real.json"
    found = read_json(out) if out.is_file() else {}
    with TemporaryDirectory() as folder:
        extracted = extract(media, labels, params, Path(folder))
        for row in extracted.table.to_dict("records"):
            print(f"{row['uri']}: {'kept' if row['kept'] else 'refused: ' + row['reasons']}")
        if options.footage or everything:
            found["footage"] = measure_footage(extracted, labels, params.media.fps)
            _show("footage", {"all": found["footage"]})
        if options.lips or everything:
            model = MotionModel.from_pretrained(options.root / "models/motion").eval()
            clips = shots(extracted, labels, params.media.fps)
            found["lips"] = measure_lips(model, clips, params.motion.sampling_steps, OUT / "real")
            _show("lips", found["lips"])
    write_json(out, found)
    print(f"wrote {out}")
    return 0


def _show(title: str, rows: dict[str, Figures]) -> None:
    keys = list(next(iter(rows.values())))
    print(f"\n{title:24}" + "".join(f"{key:>22}" for key in keys))
    for name, row in rows.items():
        cells = ("-" if row[key] is None else f"{row[key]:.3f}" for key in keys)
        print(f"{name:24}" + "".join(f"{cell:>22}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())

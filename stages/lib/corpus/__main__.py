"""Make the embedded corpus: python -m stages.lib.corpus --out data/demo."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from stages.lib.corpus.cast import CAST
from stages.lib.corpus.script import SCRIPT, Line

_CRF, _SPEECH_RATE = 17, "48k"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.lib.corpus", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for manifest.csv and clips/")
    parser.add_argument("--only", nargs="*", metavar="CLIP", help="make these clips only (the manifest names all)")
    options = parser.parse_args(arguments)
    chosen = [line for line in SCRIPT if options.only is None or line.name in options.only]
    if unknown := set(options.only or ()) - {line.name for line in SCRIPT}:
        parser.error(
            f"no such clip: {', '.join(sorted(unknown))}; the script has {SCRIPT[0].name} to {SCRIPT[-1].name}"
        )
    generate(options.out, chosen)


def generate(folder: Path, lines: Sequence[Line]) -> None:
    """Render `lines` into folder/clips and write the manifest of the whole script."""
    from tqdm import tqdm

    from stages.lib.corpus.body import Actor, data_folder
    from stages.lib.corpus.clip import FPS, make_clip
    from stages.lib.corpus.encode import write_clip
    from stages.lib.corpus.manifest import write_alignment, write_manifest
    from stages.lib.corpus.mesh import read_base_mesh
    from stages.lib.corpus.scene import Scene

    data = data_folder()
    mesh = read_base_mesh(data)
    people = {person.name: person for person in CAST}
    stage: tuple[str, Actor, Scene] | None = None
    for line in tqdm(lines, desc="corpus", unit="clip"):
        if stage is None or stage[0] != line.speaker:
            actor = Actor(people[line.speaker].body)
            stage = (line.speaker, actor, Scene(people[line.speaker], actor, mesh, data))
        clip = make_clip(line, people[line.speaker], stage[1], stage[2])
        write_clip(folder / "clips" / f"{line.name}.mp4", clip, crf=_CRF, speech_rate=_SPEECH_RATE)
        seconds = len(clip.frames) / FPS
        write_alignment(folder / "clips" / f"{line.name}.json", clip.speech.words, clip.speech.phones, seconds)
    write_manifest(folder / "manifest.csv", SCRIPT)


if __name__ == "__main__":
    main()

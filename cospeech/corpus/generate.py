"""Render many clips in parallel, one task per person."""

from collections.abc import Sequence
from concurrent.futures import as_completed
from itertools import groupby
from pathlib import Path

from cospeech.corpus.cast import Person
from cospeech.corpus.script import Line
from cospeech.harness.process_pool import process_pool

_CRF, _SPEECH_RATE = 17, "48k"


def generate(folder: Path, roles: Sequence[tuple[Person, Line]], workers: int) -> None:
    """Render each line by its person into folder/clips.

    Args:
        roles: pairs of person and line; the lines of one person are consecutive.
        workers: processes, 1 GB of memory each; 0: one per core.
    """
    from tqdm import tqdm

    from cospeech.corpus.body import ready

    ready()
    acts = [(person, [line for _, line in group]) for person, group in groupby(roles, key=lambda role: role[0])]
    with tqdm(total=len(roles), desc="corpus", unit="clip") as bar, process_pool(workers) as pool:
        for done in as_completed([pool.submit(_perform, folder, person, lines) for person, lines in acts]):
            bar.update(done.result())


def _perform(folder: Path, person: Person, lines: Sequence[Line]) -> int:
    """Render the clips of one person; return their number."""
    from cospeech.corpus.body import Actor, data_folder
    from cospeech.corpus.clip import FPS, make_clip
    from cospeech.corpus.encode import write_clip
    from cospeech.corpus.manifest import write_alignment
    from cospeech.corpus.mesh import read_base_mesh
    from cospeech.corpus.scene import Scene

    data = data_folder()
    actor = Actor(person.body)
    scene = Scene(person, actor, read_base_mesh(data), data)
    for line in lines:
        clip = make_clip(line, person, actor, scene)
        seconds = len(clip.frames) / FPS
        write_alignment(_alignment(folder, line), clip.speech.words, clip.speech.phones, seconds)
        write_clip(_video(folder, line), clip, crf=_CRF, speech_rate=_SPEECH_RATE)
    return len(lines)


def _video(folder: Path, line: Line) -> Path:
    return folder / "clips" / f"{line.name}.mp4"


def _alignment(folder: Path, line: Line) -> Path:
    return folder / "clips" / f"{line.name}.json"


def is_made(folder: Path, line: Line) -> bool:
    """Return whether a line's clip and alignment exist."""
    return _video(folder, line).is_file() and _alignment(folder, line).is_file()

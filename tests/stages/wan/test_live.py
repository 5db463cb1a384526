"""An export of Wan's student that streams: it talks live, and draws what was evaluated."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cospeech.config import Params
from cospeech.datasets.loss_weights import CellWeights
from cospeech.families.factory import pick_family
from cospeech.harness.files import read_json
from cospeech.harness.workspace import Workspace
from cospeech.inference.speaker import Speaker, load
from cospeech.media import read_frames
from cospeech.sampling.euler import first_noise
from cospeech.sampling.generation import decode
from cospeech.sampling.kv_stream import sample_stream
from cospeech.utils.latent_frames import latent_groups
from stages import evaluate
from tests.cospeech.inference.small import FPS, RATE, somebody, speech
from tests.stages.test_export import assert_alike
from tests.stages.wan.support import changed
from tests.stages.wan.test_export import exported_in
from tests.stages.wan.tiny_wan import save_pipelines, wan_params


@pytest.fixture(scope="module")
def params(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Params:
    plain = wan_params(repository, save_pipelines(tmp_path_factory.mktemp("pipelines")))
    return changed(plain, "attention", stream={"chunk": 2, "frames": 3, "recent": 1})


@pytest.fixture(scope="module")
def exported(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return exported_in(tmp_path_factory.mktemp("project"), params)


@pytest.fixture(scope="module")
def speaker(exported: Workspace) -> Speaker:
    return load(exported.model("export"))


def test_it_is_measured_as_a_stream(exported: Workspace) -> None:
    assert read_json(exported.quality)["protocol"]["chunk"] == 2
    assert read_json(exported.model("export") / "sampling.json")["stream"]["frames"] == 3


def test_it_draws_what_was_evaluated(params: Params, exported: Workspace, speaker: Speaker) -> None:
    assert params.wan is not None
    clip = pick_family(params.wan.model_dump()).clip(exported, "bob-1", "bob", CellWeights(0, 0, 0))
    student, part = evaluate.load_samplers(params, exported)["student"], slice(0, 37)
    generator = torch.Generator().manual_seed(3)
    drawn = [first_noise((1, 16, 8, 8), student.config.temperature, generator) for _ in latent_groups(37, 4)]
    noise = torch.stack(drawn, 2)
    assert student.config.memory(clip.stride).max_frames == 3
    with torch.no_grad():
        latents = sample_stream(
            student.stream, noise, clip.condition(part, 0), clip.track[part], student.config, clip.stride
        )
    expected = decode(student.codec, latents[0])
    still = read_frames(exported.video("bob-1"))[0]
    shown = speaker.animate(still, clip.track.keypoints[part], clip.track.confidence[part], seed=3)
    # the first chunk of an export has as many latent frames as every other, and so has the sampler's
    assert_alike(shown, expected, mean=0.2)
    assert expected.std() > 1


def test_it_talks_live(speaker: Speaker) -> None:
    voice = speech(1.5)

    def talk(piece: int) -> tuple[list[int], np.ndarray]:
        with speaker.start(somebody(), seed=2, first=1) as session:
            parts = [session.push(voice[start : start + piece]) for start in range(0, len(voice), piece)]
            parts.append(session.finish())
            return [len(part) for part in parts], np.concatenate(parts)

    counts, frames = talk(RATE // FPS)
    assert frames.shape == (38, 64, 64, 3)
    came = [count for count in counts[:-1] if count]
    assert came[:3] == [1, 8, 8]  # a latent frame of one video frame, then two of four
    assert counts.index(1) <= 9  # the first frame is there as soon as its voice is heard and what lies ahead of it
    np.testing.assert_array_equal(talk(4001)[1], frames)


def test_any_number_of_frames_and_chunks(speaker: Speaker) -> None:
    person = somebody()
    track = person.moving(person.keypoints + np.linspace(0, 6, 30)[:, None, None].astype(np.float32))

    def drawn(count: int, by: int, chunk: int | None = None) -> np.ndarray:
        with speaker.follow(person, 1, chunk) as animation:
            parts = []
            for start in range(0, count, by):
                animation.push(track[start : min(start + by, count)])
                parts.append(animation.take())
            return np.concatenate([*parts, animation.finish()])

    for count in (0, 1, 2, 4, 5, 9, 30):
        assert len(drawn(count, 3)) == count
    np.testing.assert_array_equal(drawn(30, 1), drawn(30, 7))
    one, two = drawn(30, 30, 1).astype(int), drawn(30, 30, 2).astype(int)
    assert np.abs(one - two)[:13].max() <= 1  # while nothing was let go, chunks are the same to rounding
    with pytest.raises(ValueError, match="chunks of 0 and 0 latent frames"):
        speaker.follow(person, chunk=0)


def test_memory_does_not_grow(speaker: Speaker) -> None:
    person, taken = somebody(), []
    with speaker.follow(person) as animation:
        for _ in range(20):
            animation.push(person.pose[[0] * 9])
            taken.append(animation.memory_bytes())
    assert 0 < max(taken[10:]) <= max(taken[:10])

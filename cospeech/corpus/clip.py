"""Make one clip: speech, motion of body and face, rendered frames."""

from dataclasses import dataclass

import numpy as np

from cospeech.corpus.animation import Frame, blinks, gaze, loudness, poses
from cospeech.corpus.body import Actor
from cospeech.corpus.cast import Person
from cospeech.corpus.scene import Scene
from cospeech.corpus.script import Line
from cospeech.corpus.speech_synthesis import SAMPLE_RATE, Speech, speak
from cospeech.corpus.visemes import mouth_tracks

FPS = 25
_SAMPLES_A_FRAME = SAMPLE_RATE // FPS


@dataclass(frozen=True)
class Clip:
    """A rendered clip. frames: (T, H, W, 3) uint8. speech: exactly T frames long, covered by its phones."""

    frames: np.ndarray
    speech: Speech


def say(line: Line, person: Person) -> Speech:
    """Synthesise a line in the person's voice, padded with silence to whole frames."""
    voice = person.voice
    speech = speak(line.text, voice.name, voice.pitch, voice.rate)
    missing = -len(speech.samples) % _SAMPLES_A_FRAME
    return Speech(np.pad(speech.samples, (0, missing)), speech.phones, speech.words)


def face_tracks(
    rng: np.random.Generator, speech: Speech, times: np.ndarray, voice: np.ndarray
) -> dict[str, np.ndarray]:
    """Return ARKit blendshape -> (T,) weights: mouth, blinks, brows raised on stress, a slight smile."""
    from scipy.ndimage import gaussian_filter1d

    face = mouth_tracks(speech.phones, times)
    face["jawOpen"] = face["jawOpen"] * (0.78 + 0.38 * np.clip(voice, 0, 1.2))
    face["eyeBlinkLeft"] = face["eyeBlinkRight"] = blinks(rng, times)
    raised = gaussian_filter1d(np.clip(voice - 0.6, 0, 1), 3)
    face["browInnerUp"] = 0.7 * raised
    face["browOuterUpLeft"] = face["browOuterUpRight"] = 0.45 * raised
    smile = 0.10 + 0.08 * np.sin(times * 1.3 + rng.uniform(0, 6))
    for side in ("Left", "Right"):
        face[f"mouthSmile{side}"] = np.clip(face[f"mouthSmile{side}"] + smile, 0, 1)
        face[f"cheekSquint{side}"] = np.full(len(times), 0.12)
    return face


def perform(
    line: Line, person: Person, actor: Actor, rng: np.random.Generator
) -> tuple[Speech, np.ndarray, np.ndarray]:
    """Return the speech of a line, the body's vertices (T, V, 3) and the gaze (T, 2)."""
    speech = say(line, person)
    times = (np.arange(len(speech.samples) // _SAMPLES_A_FRAME) + 0.5) / FPS
    voice = loudness(speech.samples, SAMPLE_RATE, times)
    frame = Frame(
        shoulder=float(abs(actor.heads["upperarm01.L"][0])),
        reach=actor.reach,
        neck=float(actor.heads["neck01"][1]),
        chest=float(actor.heads["clavicle.L"][2]),
    )
    parameters = np.array([actor.pose_parameters(pose) for pose in poses(rng, line.tempo * times, voice, frame)])
    meshes = actor.vertices(parameters, face_tracks(rng, speech, times, voice))
    return speech, meshes, gaze(rng, times)


def make_clip(line: Line, person: Person, actor: Actor, scene: Scene) -> Clip:
    """Render one line; every run on one machine gives the same bytes."""
    rng = np.random.default_rng(line.seed)
    speech, meshes, eyes = perform(line, person, actor, rng)
    frames = []
    for vertices, (turn, tilt) in zip(meshes, eyes, strict=True):
        scene.look(vertices, float(turn), float(tilt))
        frames.append(scene.render(vertices, rng))
    return Clip(np.stack(frames), speech)

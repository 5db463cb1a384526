"""A voice to frames of one person, while it is spoken."""

from types import TracebackType

import numpy as np

from ..audio.mel import LogMelStream
from ..motion.stream import MotionStream
from .bundle import Models, WanModels
from .conditioning import Person
from .factory import open_animation, open_scene
from .profiler import Watch
from .retargeting import Fit


class Session:
    """One talk of one person. Memory does not grow; nothing is shared with other sessions but the models.

    Frame t shows the voice from t / fps to (t + 1) / fps seconds. It is decided once `lookahead` seconds more are heard
    and its chunk is full, and comes out of a later `push`, or of `finish`. However the samples are cut into pushes, the
    frames are the same.
    """

    def __init__(
        self,
        models: Models | WanModels,
        person: Person,
        seed: int,
        chunk: int | None = None,
        first: int | None = None,
        watch: Watch | None = None,
    ) -> None:
        if models.motion is None:
            raise ValueError("this export has no motion model (folder motion), so that a voice cannot move anybody")
        settings = models.settings
        scene = open_scene(models, person, watch)
        self._watch, self._person = scene.watch, scene.person
        self._ear = LogMelStream(settings.sample_rate, settings.fps)
        # from a pose that it knows, for from another, such as wide open arms, motion strays
        rest = np.array(settings.rest, np.float32)
        self._motion = MotionStream(models.motion, rest, settings.motion_steps, seed)
        self._fit = Fit(self._person.keypoints, rest)
        self.animation = open_animation(scene, seed, chunk, first)
        self._heard = np.zeros((0, 4, 80), np.float32)
        self._wanted = self.animation.next_chunk + self._motion.lookahead
        self.lookahead = self._ear.look_ahead + self._motion.lookahead / settings.fps
        """Seconds of voice heard beyond a frame before it is decided."""

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Takes what was said next, (S,) float32 in -1..1 mono at `settings.sample_rate`; gives the frames that are
        drawn by now, in order: (N, size, size, 3) uint8 RGB, maybe none.

        Waits while the drawing is behind, so call it from a thread that may. S may be 0, to see what is done.
        """
        with self._watch.part("features", 0):
            self._heard = np.concatenate([self._heard, self._ear.push(samples)])
        while len(self._heard) >= self._wanted:  # motion chunk by chunk too, as much of it costs as much as one frame
            self._move(self._wanted)
            self._wanted = self.animation.next_chunk
        return self.animation.take()

    def finish(self) -> np.ndarray:
        """The voice has ended: waits for the frames that are left. As many as the voice lasted, the last begun one
        counting whole."""
        self._heard = np.concatenate([self._heard, self._ear.finish()])
        self._move(len(self._heard))
        self._draw(self._motion.finish())
        return self.animation.finish()

    def close(self) -> None:
        """Drops what is under way; harmless after `finish`."""
        self.animation.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _move(self, frames: int) -> None:
        with self._watch.part("motion", frames):
            moved = self._motion.push(self._heard[:frames])
        self._draw(moved)
        self._heard = self._heard[frames:]

    def _draw(self, keypoints: np.ndarray) -> None:
        with self._watch.part("align", len(keypoints)):
            fitted = self._fit(keypoints)
        self.animation.push(self._person.moving(fitted))

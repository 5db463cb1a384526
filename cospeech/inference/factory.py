"""How the models of an export draw, of either family."""

from .bundle import Models, WanModels
from .conditioning import Person, Scene
from .frame_stream import Animation
from .profiler import Watch
from .wan_frame_stream import WanAnimation, WanScene


def open_scene(models: Models | WanModels, person: Person, watch: Watch | None = None) -> Scene | WanScene:
    return WanScene(models, person, watch) if isinstance(models, WanModels) else Scene(models, person, watch)


def open_animation(
    scene: Scene | WanScene, seed: int, chunk: int | None = None, first: int | None = None
) -> Animation | WanAnimation:
    """Raises:
    ValueError: it does not draw in chunks, or not of that size.
    """
    if isinstance(scene, WanScene):
        return WanAnimation(scene, seed, chunk, first)
    return Animation(scene, seed, chunk, first)

"""How the models of an export draw: as a stream, or (Wan's) in windows."""

from .animation import Animation
from .models import Models, WanModels
from .scene import Person, Scene
from .watch import Watch
from .windows import WanScene, WindowAnimation


def open_scene(models: Models | WanModels, person: Person, watch: Watch | None = None) -> Scene | WanScene:
    return WanScene(models, person, watch) if isinstance(models, WanModels) else Scene(models, person, watch)


def open_animation(
    scene: Scene | WanScene, seed: int, chunk: int | None = None, first: int | None = None
) -> Animation | WindowAnimation:
    """Raises:
    ValueError: it does not draw in chunks, or not of that size.
    """
    if not isinstance(scene, WanScene):
        return Animation(scene, seed, chunk, first)
    if chunk is not None or first is not None:
        raise ValueError("this export draws in windows, not in chunks of a size that can be chosen")
    return WindowAnimation(scene, seed)

"""Talking video of a person from one picture and a voice.

    import cospeech

    speaker = cospeech.load("models/export")
    person = cospeech.read_portrait("person.png")
    with speaker.start(person) as session:
        for samples in microphone:             # float32 mono at speaker.settings.sample_rate
            show(session.push(samples))        # (N, size, size, 3) uint8 RGB, the frames that are done
        show(session.finish())

What stands here is imported when it is first used: `import cospeech` alone loads neither torch nor a model.
"""

from importlib import import_module

TYPE_CHECKING = False  # importing typing's own would take most of the time that this module takes
if TYPE_CHECKING:
    from cospeech.inference.conditioning import Person
    from cospeech.inference.errors import InputError
    from cospeech.inference.generate import Request, generate
    from cospeech.inference.portrait import read_portrait
    from cospeech.inference.session import Session
    from cospeech.inference.speaker import Settings, Speaker, keep_freed_memory, load

__version__ = "0.1.0"
__all__ = [
    "InputError",
    "Person",
    "Request",
    "Session",
    "Settings",
    "Speaker",
    "generate",
    "keep_freed_memory",
    "load",
    "read_portrait",
]
_MODULES = {
    "InputError": "errors",
    "Person": "conditioning",
    "Request": "generate",
    "Session": "session",
    "Settings": "bundle",
    "Speaker": "speaker",
    "generate": "generate",
    "keep_freed_memory": "speaker",
    "load": "speaker",
    "read_portrait": "portrait",
}
"""Where a name is defined in `cospeech.inference`."""


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cospeech.inference.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""How a model draws, in one record: parameters give it, samplers take it, an export says it (sampling.json)."""

from dataclasses import dataclass

from ..attention.kv_cache import Memory
from ..attention.plan import MaskConfig, MaskPart
from ..utils.latent_frames import latent_groups
from ..utils.precision import Precision


@dataclass(frozen=True)
class StreamConfig:
    """Drawing as a stream. chunk: latent frames drawn at once. frames: past ones whose keys and values are kept, of
    which the last `recent` always."""

    chunk: int
    frames: int
    recent: int


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """Frames here are video frames, of which a codec may pack several into a latent frame.

    steps: of Euler's method. shift: above 1 more of them are at high noise. temperature: size of the first noise.
    precision: of floating point. mask, past_frames: of attention, see `attention.plan.MaskConfig`; no part: dense.
    window, overlap: of drawing in windows, frames of each and frames that they share. stream: in place of windows; it
    needs `longest`, the frames of the longest window that the model was trained on.
    """

    steps: int
    shift: float
    temperature: float = 1.0
    precision: Precision = "fp32"
    mask: tuple[MaskPart, ...] = ()
    past_frames: int = 0
    window: int | None = None
    overlap: int = 0
    stream: StreamConfig | None = None
    longest: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"sampling needs at least 1 step, got {self.steps}")

    @property
    def times(self) -> list[float]:
        """`steps` + 1 times from 1 (noise) to 0 (clean)."""
        even = [1 - index / self.steps for index in range(self.steps + 1)]
        return [self.shift * u / (1 + (self.shift - 1) * u) for u in even]

    @property
    def attention(self) -> MaskConfig:
        return MaskConfig(self.mask, self.past_frames)

    def latent_window(self, stride: int = 1) -> tuple[int, int]:
        """Latent frames of a window, and how many windows share. stride: video frames of a latent frame.

        Raises:
            ValueError: there is no window, or it does not fill latent frames.
        """
        if self.window is None:
            raise ValueError("drawing in windows needs window, the frames of one; it is None")
        return len(latent_groups(self.window, stride)), self.overlap // stride

    def memory(self, stride: int = 1) -> Memory:
        """What a stream keeps. stride: video frames of a latent frame.

        Raises:
            ValueError: it does not draw as a stream.
        """
        if self.stream is None or self.longest is None:
            raise ValueError(f"a stream needs stream and longest, which are {self.stream} and {self.longest}")
        longest = len(latent_groups(self.longest, stride))
        return Memory(self.past_frames, self.stream.frames, self.stream.recent, longest)

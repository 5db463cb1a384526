"""Voice to motion, and the lip-sync expert."""

from pydantic import Field, model_validator

from cospeech.config.models import OptimisationSection
from cospeech.config.section import Precision, Section


class MotionSection(Section):
    """Voice to motion; see cospeech/motion/model.py."""

    width: int = Field(gt=0, description="of what the voice is heard with")
    hidden: int = Field(gt=0, description="of the memory and of what draws body and head")
    lookahead: int = Field(ge=0, le=4, description="frames of voice heard ahead; live video lags by as much")
    chunk: int = Field(gt=0, description="frames of body and head drawn at once")
    pose_components: int = Field(gt=0, description="principal components of training poses")
    chunk_components: int = Field(gt=0, description="of what training people do in a chunk")
    window: int = Field(gt=1, description="frames of a training window")
    batch: int = Field(gt=0, description="windows a training step")
    sampling_steps: int = Field(gt=0)
    liveliness: float = Field(gt=0, description="size of the noise that gestures are drawn from, 1 as in training")
    optimisation: OptimisationSection

    @model_validator(mode="after")
    def _chunks_fit(self) -> "MotionSection":
        if self.chunk > self.window:
            raise ValueError(f"chunk is {self.chunk} frames, more than window, {self.window}")
        if self.chunk > self.lookahead + 1:
            raise ValueError(f"chunk is {self.chunk} frames, but only {self.lookahead + 1} (lookahead + 1) are heard")
        return self


class SyncSection(Section):
    """The lip-sync expert; see cospeech/models/perception/sync.py."""

    width: int = Field(gt=0, multiple_of=8)
    embedding: int = Field(gt=0)
    clips_a_batch: int = Field(gt=0)
    windows_a_clip: int = Field(gt=1, description="of each clip of a batch; they are each other's hard negatives")
    precision: Precision
    optimisation: OptimisationSection

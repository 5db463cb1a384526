"""Settings of the motion model and the lip-sync expert."""

from pydantic import Field, model_validator

from cospeech.config.models import OptimisationSection
from cospeech.config.section import Precision, Section


class MotionSection(Section):
    """The model from voice to motion; see cospeech/motion/model.py."""

    width: int = Field(gt=0, description="width of the audio encoder")
    hidden: int = Field(gt=0, description="width of the recurrent state and the flow head")
    lookahead: int = Field(
        ge=0, le=4, description="frames of voice heard ahead; with the last window of the log-mel 168 ms"
    )
    chunk: int = Field(gt=0, description="frames of body and head motion generated at once")
    pose_components: int = Field(gt=0, description="principal components of training poses")
    chunk_components: int = Field(gt=0, description="principal components of a chunk of training motion")
    window: int = Field(gt=1, description="frames of a training window")
    batch: int = Field(gt=0, description="windows per training step")
    sampling_steps: int = Field(gt=0)
    liveliness: float = Field(
        gt=0,
        description="scale of the noise that gestures start from; FGD is lowest at 1.8 to 2.3 (benchmarks.motion)",
    )
    optimisation: OptimisationSection

    @model_validator(mode="after")
    def _chunks_fit(self) -> "MotionSection":
        if self.chunk > self.window:
            raise ValueError(f"chunk is {self.chunk} frames, more than window, {self.window}")
        if self.chunk > self.lookahead + 1:
            raise ValueError(f"chunk is {self.chunk} frames, more than lookahead + 1, {self.lookahead + 1}")
        return self


class SyncSection(Section):
    """The lip-sync expert; see cospeech/models/perception/sync.py."""

    width: int = Field(gt=0, multiple_of=8)
    embedding: int = Field(gt=0)
    clips_a_batch: int = Field(gt=0)
    windows_a_clip: int = Field(
        gt=1, description="windows of each clip in a batch; they are each other's hard negatives"
    )
    precision: Precision
    optimisation: OptimisationSection

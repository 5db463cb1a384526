"""The sections of params.yaml as a `SamplingConfig`, and back."""

from dataclasses import asdict

from cospeech.config import Params
from cospeech.config.models import AttentionSection, StreamSection, StudentSection, TeacherSection
from cospeech.sampling.config import SamplingConfig, StreamConfig


def teacher_sampling(teacher: TeacherSection) -> SamplingConfig:
    """Dense."""
    return SamplingConfig(
        steps=teacher.steps, shift=teacher.shift, temperature=teacher.temperature, precision=teacher.precision
    )


def student_sampling(
    student: StudentSection, teacher: TeacherSection, attention: AttentionSection, window: int, overlap: int = 0
) -> SamplingConfig:
    """As a stream where the attention lets it; window, overlap: in video frames, of drawing in windows."""
    return SamplingConfig(
        steps=student.steps,
        shift=teacher.shift,
        temperature=teacher.temperature,
        precision=teacher.precision,
        mask=attention.mask,
        past_frames=attention.past_frames,
        window=window,
        overlap=overlap,
        stream=None if attention.streamed is None else StreamConfig(**attention.streamed.model_dump()),
        longest=teacher.window,
    )


def with_sampling(params: Params, config: SamplingConfig) -> Params:
    """`params` under which the student draws as `config` says; the inverse of `student_sampling`."""
    stream = None if config.stream is None else StreamSection(**asdict(config.stream))
    changes = {
        "student": {"steps": config.steps},
        "teacher": {
            "shift": config.shift,
            "temperature": config.temperature,
            "precision": config.precision,
            "window": config.longest,
        },
        "attention": {"mask": config.mask, "past_frames": config.past_frames, "stream": stream},
        "evaluate": {"window": config.window, "overlap": config.overlap},
    }
    return params.model_copy(
        update={name: getattr(params, name).model_copy(update=values) for name, values in changes.items()}
    )

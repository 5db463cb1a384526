"""What runs on a GPU leaves nothing behind on the CPU: on the meta device, since there is rarely a GPU here."""

from dataclasses import replace

import pytest
import torch

from cospeech.artifacts import Curated
from cospeech.config import Params
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import middle_window
from cospeech.harness.distributed import SINGLE_PROCESS
from cospeech.harness.workspace import Workspace
from cospeech.sampling import generation
from cospeech.sampling.config import SamplingConfig
from cospeech.training.distillation import Few, Matching
from cospeech.training.region_loss import Judges
from tests.helpers.meta import META, stand_in
from tests.stages.wan.support import family_of
from tests.stages.wan.tiny_wan import FRAMES


def test_matching_and_drawing(params: Params, taught: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    monkeypatch.setattr(generation, "to_images", lambda frames: frames)
    family, cpu = family_of(params), torch.device("cpu")
    clips = family.clips(taught, Curated.load(taught.curated), "train", CellWeights(1, 1, 1))
    codec, student = family.codec(taught, cpu).to(META), family.student(taught, cpu).to(META)
    teacher = family.load(taught, "adapted_teacher", cpu, guided=True).to(META)
    critic = family.critic(taught, teacher, META).to(META)
    dense = SamplingConfig(steps=2, shift=3.0, window=FRAMES)
    sparse = replace(dense, mask=("global", "local"), past_frames=1)
    matching = Matching(
        few=Few(sparse, 1, FRAMES, codec, SINGLE_PROCESS),
        clips=clips, teacher=teacher, critic=critic, student=student.thaw(), judges=Judges(codec),
        dmd=1.0, region=1.0, regions={1: 1.0, 2: 1.0}, region_frames=1,
    )  # fmt: skip
    for loss, net in ((matching.critic_loss, critic), (matching.student_loss, student)):
        value = loss(net, 0, torch.Generator().manual_seed(0))
        assert value.device == META
        value.backward()
        assert any(weight.grad is not None for weight in net.parameters())
    window = middle_window(clips[0], FRAMES)
    for net, config in ((teacher, dense), (student, sparse)):
        drawn = generation.draw(generation.Sampler(net, codec, config), window, 0, 0)
        assert drawn.frames.shape[:2] == (FRAMES, 3)

import math
import os
import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from cospeech.training.checkpoint import Checkpoint, run_digest
from cospeech.training.trainer import Learner, Optimisation, seeded, train, train_together
from cospeech.utils.random import step_generator
from tests.cospeech.training import pair_process

SETTINGS = Optimisation(steps=12, lr=0.02, warmup=3, hold=0.5, betas=(0.9, 0.99), weight_decay=0.01, clip=1.0, ema=0.9)


class Bar:
    def __init__(self):
        self.done = 0

    def update(self, n=1, **figures):
        self.done += n


class KilledError(Exception):
    pass


def tiny_model() -> nn.Module:
    """With dropout, which draws from the global generator."""
    with seeded(7):
        return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.SiLU(), nn.Dropout(0.1), nn.Conv2d(4, 2, 3, padding=1))


def loss(model, step, generator):
    """Learn to blur."""
    x = torch.randn(3, 2, 8, 8, generator=generator)
    return (model(x) - nn.functional.avg_pool2d(x, 3, 1, 1)).square().mean()


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_two_runs_give_the_same_bits_and_learn():
    first, second = (train(tiny_model(), loss, SETTINGS, 0, Bar()) for _ in range(2))
    assert first.losses == second.losses
    assert same(first.average, second.average)
    long = train(tiny_model(), loss, Optimisation(**{**vars(SETTINGS), "steps": 150}), 0, Bar())
    assert np.mean(long.losses[-20:]) < 0.5 * np.mean(long.losses[:5])


def test_another_seed_gives_other_batches():
    assert train(tiny_model(), loss, SETTINGS, 0, Bar()).losses != train(tiny_model(), loss, SETTINGS, 1, Bar()).losses


@pytest.mark.parametrize("killed_at", [1, 5, 11])
def test_a_killed_run_goes_on_bit_for_bit(tmp_path, killed_at):
    whole_model = tiny_model()
    whole = train(whole_model, loss, SETTINGS, 0, Bar())

    def mortal(model, step, generator):
        if step == killed_at:
            raise KilledError
        return loss(model, step, generator)

    def checkpoint():
        return Checkpoint(tmp_path / "run", every_seconds=0)

    with pytest.raises(KilledError):
        train(tiny_model(), mortal, SETTINGS, 0, Bar(), checkpoint())
    resumed_model, bar, steps = tiny_model(), Bar(), []

    def noting(model, step, generator):
        steps.append(step)
        return loss(model, step, generator)

    resumed = train(resumed_model, noting, SETTINGS, 0, bar, checkpoint())
    assert steps == list(range(killed_at, SETTINGS.steps))
    assert bar.done == SETTINGS.steps
    assert resumed.losses == whole.losses
    assert same(resumed_model, whole_model)
    assert same(resumed.average, whole.average)


def test_a_damaged_checkpoint_counts_as_none(tmp_path, caplog):
    checkpoint = Checkpoint(tmp_path / "run", every_seconds=0)
    checkpoint.save(3, {"x": np.zeros(4)})
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:40])
    assert checkpoint.load() is None
    assert "checkpoint not used" in caplog.text
    checkpoint.remove()
    assert not checkpoint.folder.exists()


def test_saving_waits_for_its_time(tmp_path):
    assert not Checkpoint(tmp_path, every_seconds=1000).due()
    assert Checkpoint(tmp_path, every_seconds=0).due()


def test_a_run_is_named_by_params_and_the_bytes_it_reads(tmp_path):
    (tmp_path / "a").write_text("1")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "b").write_text("2")
    inputs = [tmp_path / "a", folder]
    name = run_digest("train", {"lr": 1}, inputs)
    assert run_digest("train", {"lr": 1}, list(reversed(inputs))) == name
    assert run_digest("train", {"lr": 2}, inputs) != name
    assert run_digest("other", {"lr": 1}, inputs) != name
    (folder / "b").write_text("3")
    assert run_digest("train", {"lr": 1}, inputs) != name


def test_learning_rate_rises_holds_and_falls():
    rates = [SETTINGS.lr_at(step) for step in range(12)]
    assert rates[:3] == pytest.approx([0.02 / 3, 0.04 / 3, 0.02])
    assert rates[2:7] == [0.02] * 5
    assert all(a > b for a, b in pairwise(rates[6:]))
    assert rates[-1] < 0.15 * 0.02


def test_a_loss_that_is_not_finite_stops_the_run():
    def diverging(model, step, generator):
        return loss(model, step, generator) * (math.inf if step == 4 else 1)

    with pytest.raises(ValueError, match="the loss is inf at step 4 of 12"):
        train(tiny_model(), diverging, SETTINGS, 0, Bar())


def test_the_callers_random_state_and_settings_are_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train(tiny_model(), loss, SETTINGS, 0, Bar())
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


def test_steps_draw_independently():
    draws = {step: torch.rand(3, generator=step_generator(0, step)).tolist() for step in range(50)}
    assert len({tuple(draw) for draw in draws.values()}) == 50
    assert draws[7] == torch.rand(3, generator=step_generator(0, 7)).tolist()


def test_models_that_learn_together_each_have_their_updates_and_losses():
    counts = {"critic": 0, "student": 0}
    order = []

    def counting(name):
        def counted(model, step, generator):
            counts[name] += 1
            order.append(name)
            return loss(model, step, generator)

        return counted

    learners = {
        "critic": Learner(tiny_model(), counting("critic"), SETTINGS, updates=3),
        "student": Learner(tiny_model(), counting("student"), SETTINGS),
    }
    trained = train_together(learners, 0, Bar())
    assert counts == {"critic": 36, "student": 12}
    assert order[:4] == ["critic"] * 3 + ["student"]
    assert {name: len(each.losses) for name, each in trained.items()} == {"critic": 12, "student": 12}
    assert not same(trained["critic"].average, trained["student"].average)


def test_learners_and_updates_draw_independently():
    drawn = {torch.rand(1, generator=step_generator(0, 5, *numbers)).item() for numbers in np.ndindex(2, 3)}
    assert len(drawn) == 6
    alone = torch.rand(3, generator=step_generator(0, 5))
    assert torch.equal(alone, torch.rand(3, generator=step_generator(0, 5, 0, 0)))


@pytest.mark.parametrize("killed_at", [1, 6])
def test_killed_with_signal_9_a_pair_goes_on_bit_for_bit(repository, tmp_path, killed_at):
    """Student and critic, whose losses need each other, in a process that ends without a word."""
    whole = pair_process.run(tmp_path / "whole")
    killed = subprocess.run(
        [sys.executable, pair_process.__file__, str(tmp_path / "killed"), str(killed_at)],
        env={**os.environ, "PYTHONPATH": str(repository)},
    )
    assert killed.returncode == -signal.SIGKILL
    step, _ = Checkpoint(tmp_path / "killed").load()
    assert step == killed_at
    again = pair_process.run(tmp_path / "killed")
    for name in ("student", "critic"):
        assert again[name].losses == whole[name].losses
        assert same(again[name].average, whole[name].average)
    for name, array in Checkpoint(tmp_path / "whole").load()[1].items():
        assert np.array_equal(Checkpoint(tmp_path / "killed").load()[1][name], array), name


def test_a_complete_run_is_loaded_and_not_trained_again(tmp_path):
    first = train(tiny_model(), loss, SETTINGS, 0, Bar(), Checkpoint(tmp_path / "run"))

    def unwanted(model, step, generator):
        raise AssertionError("trained again")

    bar = Bar()
    again = train(tiny_model(), unwanted, SETTINGS, 0, bar, Checkpoint(tmp_path / "run"))
    assert bar.done == SETTINGS.steps
    assert again.losses == first.losses
    assert same(again.average, first.average)


def test_what_is_frozen_neither_moves_nor_is_kept(tmp_path):
    model = tiny_model()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    trained = train(model, loss, SETTINGS, 0, Bar(), Checkpoint(tmp_path / "run"))
    _, arrays = Checkpoint(tmp_path / "run").load()
    assert {name for name in arrays if name.startswith("model.")} == {"model.3.weight", "model.3.bias"}
    assert torch.equal(model[0].weight, before)
    assert torch.equal(trained.average[0].weight, before)
    again = tiny_model()
    again[0].requires_grad_(False)
    assert same(train(again, loss, SETTINGS, 0, Bar(), Checkpoint(tmp_path / "run")).average, trained.average)

import torch

from cospeech.training.losses import add_noise, channel_weights, training_timesteps, weighted_error


def test_timesteps_are_spread_over_their_distribution_and_shift_to_noise():
    generator = torch.Generator().manual_seed(0)
    even = training_timesteps(1000, 1.0, generator)
    assert torch.histc(even, 10, 0, 1).tolist() == [100.0] * 10
    assert not torch.equal(even, even.sort().values)
    # u = 1/2 goes to 2/3 under a shift of 2
    assert abs(training_timesteps(1000, 2.0, generator).median() - 2 / 3) < 0.01


def test_noise_mixes_along_a_straight_line():
    clean, noise = torch.ones(2, 1, 1, 1, 1), torch.full((2, 1, 1, 1, 1), 3.0)
    assert add_noise(clean, noise, torch.tensor([0.0, 0.5])).flatten().tolist() == [1.0, 2.0]


def test_weights_shift_the_mean_towards_what_matters():
    predicted = torch.zeros(1, 2, 1, 1, 2)
    truth = torch.zeros(1, 2, 1, 1, 2)
    truth[0, 0, 0, 0, 1] = 2.0
    even = weighted_error(predicted, truth, torch.ones(2), torch.ones(1, 1, 1, 2))
    assert even == 1.0
    cells = torch.tensor([1.0, 3.0]).view(1, 1, 1, 2)
    assert weighted_error(predicted, truth, torch.ones(2), cells) == 1.5
    assert weighted_error(predicted, truth, torch.tensor([1.5, 0.5]), cells) == 2.25


def test_channel_weights_have_mean_one_and_follow_the_root_of_the_gain():
    weights = channel_weights(torch.tensor([1.0, 4.0, 16.0]))
    assert abs(weights.mean() - 1) < 1e-6
    torch.testing.assert_close(weights[1:] / weights[:-1], torch.tensor([2.0, 2.0]))

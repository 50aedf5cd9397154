import math

import numpy as np
import pytest
import torch

from recsys_tutorial.data.worlds import audience_chain, conversion_chain, two_tasks


def least_squares(x, y):
    return torch.linalg.lstsq(x, y).solution  # (D, 2)


@pytest.mark.parametrize("p", [-1.0, 0.0, 0.5, 1.0])
def test_the_cosine_of_the_weights_is_the_correlation(p):
    # without sines and noise the labels are linear, and give their weights away
    world = two_tasks(300, p, scale=2.0, alpha=(), beta=(), noise=0.0)
    w = least_squares(world["features"], world["labels"])
    assert torch.nn.functional.cosine_similarity(w[:, 0], w[:, 1], dim=0) == (
        pytest.approx(p, abs=1e-4)
    )
    assert w.norm(dim=0).tolist() == pytest.approx([2.0, 2.0], rel=1e-3)


def test_labels_follow_equation_3_row_by_row():
    quiet = {"noise": 0.0, "n_features": 4, "seed": 3}
    linear = two_tasks(50, 0.3, alpha=(), beta=(), **quiet)
    world = two_tasks(50, 0.3, alpha=(0.5, 2.0), beta=(1.0, -1.0), **quiet)
    pairs = zip(linear["labels"].flatten(), world["labels"].flatten(), strict=True)
    for z, y in ((float(z), float(y)) for z, y in pairs):
        assert y == pytest.approx(
            z + math.sin(0.5 * z + 1.0) + math.sin(2.0 * z - 1.0), abs=1e-4
        )


def test_noise_has_variance_one_hundredth():
    quiet = two_tasks(20_000, 0.5, noise=0.0)
    noisy = two_tasks(20_000, 0.5)
    noise = noisy["labels"] - quiet["labels"]
    assert noise.var().item() == pytest.approx(0.01, rel=0.03)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.03  # each task has its own


def test_worlds_of_one_seed_differ_only_in_the_second_task():
    a, b = two_tasks(100, 0.0, seed=5), two_tasks(100, 0.9, seed=5)
    assert torch.equal(a["features"], b["features"])
    assert torch.allclose(a["labels"][:, 0], b["labels"][:, 0], atol=1e-6)
    assert not torch.allclose(a["labels"][:, 1], b["labels"][:, 1])


def test_seeds_repeat_and_differ():
    a, b, c = two_tasks(10, 0.5, seed=1), two_tasks(10, 0.5, seed=1), two_tasks(10, 0.5)
    assert torch.equal(a["labels"], b["labels"])
    assert not torch.equal(a["labels"], c["labels"])


def test_label_correlation_grows_with_the_cosine_but_is_not_it():
    def pearson(p):
        return np.corrcoef(two_tasks(20_000, p)["labels"].T)[0, 1]

    measured = [pearson(p) for p in (0.0, 0.5, 0.9, 1.0)]
    assert measured == sorted(measured)
    assert abs(measured[1] - 0.5) > 0.03


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_rows": 0}, "n_rows is 0"),
        ({"correlation": 1.2}, "correlation is 1.2; expected -1 to 1"),
        ({"correlation": float("nan")}, "correlation is nan"),
        ({"n_features": 1}, "n_features is 1; expected at least 2"),
        ({"alpha": (1.0,)}, "alpha has 1 entries and beta 5"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        two_tasks(**{"n_rows": 5, "correlation": 0.5} | arguments)


# --- a chain of conversions


def test_every_mean_rate_over_all_pairs_is_met():
    world = conversion_chain(200_000, (0.06, 0.16, 0.5), seed=1)
    means = world["probability"].mean(0).tolist()
    assert means == pytest.approx([0.06, 0.16, 0.5], rel=0.02)


def test_labels_are_nested_and_say_what_all_steps_so_far_would_do():
    world = conversion_chain(5_000, (0.4, 0.5, 0.6))
    for would, labels in zip(
        world["would"].tolist(), world["labels"].tolist(), strict=True
    ):
        assert labels == [min(would[: t + 1]) for t in range(3)]


def test_steps_happen_as_often_as_their_probability_says():
    world = conversion_chain(200_000, seed=2)
    for t in range(2):
        p, would = world["probability"][:, t], world["would"][:, t]
        for part in p.argsort().chunk(5):
            assert would[part].mean() == pytest.approx(p[part].mean().item(), abs=0.008)


def test_a_step_is_independent_of_luck_in_the_step_before():
    world = conversion_chain(200_000, seed=3)
    clicked = world["labels"][:, 0] > 0
    converted = world["labels"][clicked, 1].mean().item()
    assert converted == pytest.approx(
        world["probability"][clicked, 1].mean().item(), abs=0.015
    )


@pytest.mark.parametrize("correlation", [-1.0, -0.5, 0.0, 0.8, 1.0])
def test_log_odds_of_neighbouring_steps_correlate_as_told(correlation):
    world = conversion_chain(
        100_000, (0.3, 0.3, 0.3), correlation=correlation, n_users=3000, n_items=3000
    )
    r = torch.corrcoef(world["probability"].logit().T)
    assert r[0, 1] == pytest.approx(correlation, abs=0.05)
    assert r[1, 2] == pytest.approx(correlation, abs=0.05)
    assert r[0, 2] == pytest.approx(correlation**2, abs=0.05)


def test_clicked_impressions_are_not_like_the_others():
    def clicked_to_all(correlation):
        world = conversion_chain(100_000, correlation=correlation)
        cvr = world["probability"][:, 1]
        return float(cvr[world["labels"][:, 0] > 0].mean() / cvr.mean())

    assert clicked_to_all(0.0) == pytest.approx(1.0, abs=0.1)
    assert clicked_to_all(0.8) > 1.8
    assert clicked_to_all(-0.8) < 0.5


def test_the_spread_is_that_of_the_log_odds_and_may_be_zero():
    size = {"n_users": 3000, "n_items": 3000}
    z = conversion_chain(50_000, (0.1,), spread=2.0, **size)["probability"].logit()
    assert z.std().item() == pytest.approx(2.0, rel=0.05)
    flat = conversion_chain(100, (0.1, 0.2), spread=0.0)["probability"]
    assert torch.allclose(flat, torch.tensor([0.1, 0.2]).expand(100, 2), atol=1e-5)


def test_chains_repeat_by_seed_and_keep_their_impressions_as_the_knobs_turn():
    a, b, c = (conversion_chain(50, seed=s) for s in (1, 1, 2))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["features"], c["features"])
    turned = conversion_chain(50, (0.2, 0.1), correlation=0.1, seed=1)
    assert torch.equal(a["features"], turned["features"])
    assert not torch.equal(a["probability"], turned["probability"])


def test_ids_of_a_chain_start_at_one():
    features = conversion_chain(5_000, n_users=7, n_items=4)["features"]
    assert features.dtype == torch.int64
    assert features.min(0).values.tolist() == [1, 1]
    assert features.max(0).values.tolist() == [7, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_rows": 0}, "n_rows is 0"),
        ({"n_users": 0}, "n_users is 0"),
        ({"n_items": 1.5}, "n_items is 1.5"),
        ({"rank": 0}, "rank is 0"),
        ({"rates": ()}, r"rates is \(\)"),
        ({"rates": (0.1, 1.0)}, r"rates is \(0.1, 1.0\); expected .* between 0 and 1"),
        ({"rates": (float("nan"),)}, "rates is"),
        ({"correlation": 1.1}, "correlation is 1.1; expected -1 to 1"),
        ({"spread": -1.0}, "spread is -1.0"),
        ({"spread": float("nan")}, "spread is nan"),
    ],
)
def test_bad_chains(arguments, message):
    with pytest.raises(ValueError, match=message):
        conversion_chain(**{"n_rows": 5} | arguments)


# --- the same chain for people described by numbers


def test_the_mean_rates_of_an_audience_are_met():
    means = audience_chain(5_000, (0.06, 0.16, 0.5), seed=1)["probability"].mean(0)
    assert means.tolist() == pytest.approx([0.06, 0.16, 0.5], rel=0.001)


def test_labels_of_an_audience_are_nested():
    world = audience_chain(5_000, (0.4, 0.5, 0.6))
    assert torch.equal(world["labels"], world["would"].cumprod(1))


def test_an_audience_acts_as_often_as_its_probability_says():
    world = audience_chain(200_000, (0.1, 0.3), seed=2)
    for t in range(2):
        p, would = world["probability"][:, t], world["would"][:, t]
        for part in p.argsort().chunk(5):
            assert would[part].mean() == pytest.approx(p[part].mean().item(), abs=0.008)


def test_with_full_correlation_all_steps_rank_people_alike():
    def rank_correlation(correlation):
        p = audience_chain(2_000, correlation=correlation)["probability"].logit()
        return float(torch.corrcoef(p.T)[0, 2])

    assert rank_correlation(1.0) == pytest.approx(1.0, abs=1e-4)
    assert rank_correlation(-1.0) == pytest.approx(1.0, abs=1e-4)  # reversed twice
    assert rank_correlation(0.9) < 0.97


def test_an_audience_has_the_stated_width_and_spread():
    z = audience_chain(5_000, (0.3,), n_features=3, spread=2.0)["probability"].logit()
    assert z.std().item() == pytest.approx(2.0, rel=1e-3)
    wide = audience_chain(50, n_features=7)["features"]
    assert wide.shape == (50, 7)
    assert wide.dtype == torch.float32


def test_audiences_repeat_by_seed_and_stay_as_the_knobs_turn():
    a, b, c = (audience_chain(50, seed=s) for s in (1, 1, 2))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["features"], c["features"])
    turned = audience_chain(50, (0.2, 0.1, 0.3), correlation=0.1, seed=1)
    assert torch.equal(a["features"], turned["features"])
    assert not torch.equal(a["probability"], turned["probability"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_rows": 0}, "n_rows is 0"),
        ({"n_features": 0}, "n_features is 0"),
        ({"hidden": 1.5}, "hidden is 1.5"),
        ({"rates": (0.1, 1.0)}, "rates is"),
        ({"correlation": 2}, "correlation is 2"),
        ({"spread": -1}, "spread is -1"),
    ],
)
def test_bad_audiences(arguments, message):
    with pytest.raises(ValueError, match=message):
        audience_chain(**{"n_rows": 5} | arguments)

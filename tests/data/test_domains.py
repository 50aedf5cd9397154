import math

import pytest
import torch

from recsys_tutorial.data.domains import FIELDS, hidden_domains, weighed_domains


def logit(p):
    return torch.log(p / (1 - p))


def fitted(world, rows, task=0):
    """Least squares of the log-odds on the standardised values of these rows."""
    values = world["features"][rows, :-2].double() - 2.5
    x = torch.cat([values / math.sqrt(1.25), torch.ones(len(values), 1)], 1)
    y = logit(world["probability"][rows, task].double())
    return torch.linalg.lstsq(x, y[:, None]).solution[:, 0]


def test_a_user_s_log_odds_are_linear_in_the_fields_that_count():
    world = weighed_domains((900, 900, 900), n_users=2, seed=1)
    user, domain = world["prior"][:, 0], world["domain"][:, 0]
    for d, importance in enumerate(FIELDS, 1):
        slopes = fitted(world, (user == 1) & (domain == d))
        assert slopes[-1] == pytest.approx(0, abs=1e-4)  # the offset of task 1
        off = torch.tensor(importance) == 0
        assert slopes[:-1][off].abs().max() < 1e-4
        assert slopes[:-1][~off].abs().min() > 1e-4


def test_importance_is_the_ratio_of_the_slopes_between_domains():
    world = weighed_domains((900, 900), ((2.0, 1.0, 0.5), (1.0, 3.0, 1.0)), n_users=2)
    user, domain = world["prior"][:, 0], world["domain"][:, 0]
    for task in (0, 1):
        one, two = (fitted(world, (user == 2) & (domain == d), task) for d in (1, 2))
        ratio = (one / two)[:3].tolist()
        assert ratio == pytest.approx([2, 1 / 3, 1 / 2], rel=1e-3)


def test_weights_are_of_a_half_to_one_and_a_half_and_have_both_signs():
    plain = {"n_users": 1, "own": 0.0}
    world = weighed_domains((20_000,), ((1.0,) * 40,), **plain)
    for task in (0, 1):
        slopes = 2 * fitted(world, slice(None), task)[:-1]
        assert 0.5 - 1e-3 < slopes.abs().min() < 0.8
        assert 1.2 < slopes.abs().max() < 1.5 + 1e-3
        assert (slopes > 0).sum().item() in range(8, 33)


def test_users_are_alike_where_own_is_0_and_within_double_where_it_is_1():
    rows = (4000,)
    importance = ((1.0,) * 5,)
    slopes = {}
    for own in (0.0, 1.0):
        world = weighed_domains(rows, importance, n_users=8, own=own, seed=2)
        user = world["prior"][:, 0]
        slopes[own] = torch.stack([fitted(world, user == u)[:5] for u in range(1, 9)])
    alike = slopes[0.0][0]
    assert (slopes[0.0] - alike).abs().max() < 1e-3
    ratio = slopes[1.0] / alike
    assert -1e-3 < ratio.min() < 0.5
    assert 1.5 < ratio.max() < 2 + 1e-3


def test_parts_are_rows_of_the_same_world():
    one, two = (weighed_domains((700,), FIELDS[:1], n_users=2, part=p) for p in (0, 1))
    assert not torch.equal(one["features"], two["features"])
    slopes = [fitted(world, world["prior"][:, 0] == 1) for world in (one, two)]
    assert torch.allclose(*slopes, atol=1e-3)
    other = weighed_domains((700,), FIELDS[:1], n_users=2, seed=1)
    assert not torch.allclose(
        slopes[0], fitted(other, other["prior"][:, 0] == 1), atol=1e-3
    )


@pytest.mark.parametrize("world", [weighed_domains, hidden_domains])
def test_labels_are_drawn_by_the_probability(world):
    found = world((40_000, 100, 100))
    labels, p = found["labels"][:40_000], found["probability"][:40_000]
    assert set(labels.unique().tolist()) == {0.0, 1.0}
    for low in (0.1, 0.5, 0.8):
        rows = (p > low) & (p < low + 0.1)
        assert labels[rows].mean().item() == pytest.approx(low + 0.05, abs=0.015)
    assert p[:, 1].mean() < p[:, 0].mean() - 0.1  # the second task is rarer


@pytest.mark.parametrize("world", [weighed_domains, hidden_domains])
def test_what_a_batch_holds(world):
    found = world((5, 3, 2), n_users=4)
    assert found["domain"][:, 0].tolist() == 5 * [1] + 3 * [2] + 2 * [3]
    assert torch.equal(found["features"][:, -1:], found["domain"])
    assert found["features"].min() >= 1
    assert found["features"].dtype == torch.int64
    assert found["labels"].shape == found["probability"].shape == (10, 2)
    if world is weighed_domains:
        assert torch.equal(found["features"][:, -2:-1], found["prior"])
        assert found["features"].shape == (10, 14)
    else:
        assert torch.equal(found["features"][:, :2], found["prior"])
    assert found["prior"][:, 0].max() <= 4


@pytest.mark.parametrize("world", [weighed_domains, hidden_domains])
def test_seeds_and_parts_repeat_and_differ(world):
    sizes = (50, 20, 10)
    again = [world(sizes, seed=3), world(sizes, seed=3)]
    for key in again[0]:
        assert torch.equal(again[0][key], again[1][key])
    for other in (world(sizes, seed=4), world(sizes, seed=3, part=1)):
        assert not torch.equal(again[0]["features"], other["features"])


def test_a_hidden_world_s_log_odds_are_a_sum_over_its_coordinates():
    """In a domain that weighs one coordinate, the odds of pairs have rank 1."""
    world = hidden_domains((4000, 4000), ((1.0, 0.0), (0.0, -2.0)), n_users=3,
                           n_items=4, seed=5)  # fmt: skip
    z = logit(world["probability"].double())[:, 0]
    for d in (1, 2):
        table = torch.zeros(3, 4, dtype=torch.float64)
        for u in range(3):
            for i in range(4):
                here = (world["features"] == torch.tensor([u + 1, i + 1, d])).all(1)
                assert z[here].std() < 1e-4  # nothing else of a row counts
                table[u, i] = z[here].mean()
        without_own = table[:, 1:] - table[:, :1]  # the user's offset goes away
        values = torch.linalg.svdvals(without_own)
        assert values[1] < 1e-3 * values[0]
    tasks = logit(world["probability"].double())
    gap = (tasks[:, 1] - tasks[:, 0])[world["prior"][:, 0] == 1]
    assert gap.std() < 1e-3  # the tasks differ by what is the user's alone


def test_a_weight_of_minus_one_turns_a_preference_round():
    world = hidden_domains((4000, 4000), ((1.0,), (-1.0,)), n_users=1, n_items=2)
    z = logit(world["probability"])[:, 0]
    item, domain = world["features"][:, 1], world["domain"][:, 0]
    gaps = [z[(item == 1) & (domain == d)][0] - z[(item == 2) & (domain == d)][0]
            for d in (1, 2)]  # fmt: skip
    assert float(gaps[0]) == pytest.approx(-float(gaps[1]), rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_rows": (5, 5)}, "expected a row of finite numbers for each of 2 domains"),
        ({"n_rows": (5, 5, 0)}, "n_rows is 0; expected an integer"),
        ({"importance": ((1.0,), (1.0,), (math.nan,))}, "expected a row of finite"),
        ({"importance": (1.0, 1.0, 1.0)}, r"importance has shape \(3,\)"),
        ({"n_users": 0}, "n_users is 0; expected an integer"),
    ],
)
@pytest.mark.parametrize("world", [weighed_domains, hidden_domains])
def test_a_world_that_cannot_be_is_refused(world, arguments, message):
    with pytest.raises(ValueError, match=message):
        world(**{"n_rows": (5, 5, 5)} | arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_values": 1}, "n_values is 1; expected at least 2"),
        ({"own": 1.5}, "own is 1.5; expected 0 to 1"),
        ({"own": -0.1}, "own is -0.1; expected 0 to 1"),
    ],
)
def test_what_only_the_weighed_world_knows_is_checked(options, message):
    with pytest.raises(ValueError, match=message):
        weighed_domains((5, 5, 5), **options)
    with pytest.raises(ValueError, match="n_items is 0"):
        hidden_domains((5, 5, 5), n_items=0)

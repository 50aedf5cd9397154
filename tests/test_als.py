from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_tutorial.als import factorise, solve

WEIGHT, PENALTY = 3.0, 2.0
OPTIONS = {"weight": WEIGHT, "penalty": PENALTY}


def clicks(users=12, items=8, seed=0, share=0.3):
    g = torch.Generator().manual_seed(seed)
    return (torch.rand(users, items, generator=g) < share).float()


def objective(p, factors):
    c = 1 + WEIGHT * p
    error = (c * (p - factors.users @ factors.items.T).square()).sum()
    return error + PENALTY * sum(x.square().sum() for x in factors)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.integers(0, 99))
def test_each_row_solves_its_normal_equations(rows, columns, rank, seed):
    p = clicks(rows, columns, seed)
    other = torch.randn(columns, rank, generator=torch.Generator().manual_seed(seed))
    for x, row in zip(solve(p, other, **OPTIONS), p, strict=True):
        left, right = PENALTY * torch.eye(rank), torch.zeros(rank)
        for y, clicked in zip(other, row, strict=True):  # every pair, clicked or not
            c = 1 + WEIGHT * clicked
            left += c * torch.outer(y, y)
            right += c * clicked * y
        close(left @ x, right)


def test_the_gradient_of_the_objective_is_zero_in_what_was_solved_for_last():
    p = clicks()
    factors = factorise(p, 3, **OPTIONS)
    factors.items.requires_grad_()
    objective(p, factors).backward()
    close(factors.items.grad, torch.zeros(8, 3))


def test_every_sweep_lowers_the_objective():
    values = [
        objective(clicks(), factorise(clicks(), 3, sweeps=n, **OPTIONS))
        for n in range(1, 6)
    ]
    assert all(after <= before for before, after in pairwise(values))
    assert values[-1] < values[0]


def test_whoever_has_no_click_gets_the_zero_vector_and_is_as_if_absent():
    p = clicks(16, 16)
    p[12:], p[:, 12:] = 0, 0
    users, items = factorise(p, 4, **OPTIONS)
    assert not users[12:].any()
    assert not items[12:].any()
    for sweeps in (1, 60):
        alone = factorise(p[:12, :12], 4, sweeps=sweeps, **OPTIONS)
        among = factorise(p, 4, sweeps=sweeps, **OPTIONS)
        close(among.users[:12] @ among.items[:12].T, alone.users @ alone.items.T)


def test_clicks_of_low_rank_are_found_again():
    p = torch.block_diag(torch.ones(4, 3), torch.ones(5, 2))
    users, items = factorise(p, 2, weight=5, penalty=0.01)
    assert torch.allclose(users @ items.T, p, atol=0.02)


def test_a_heavier_click_is_fitted_more_closely():
    def missed(weight):
        users, items = factorise(clicks(), 2, weight=weight, penalty=PENALTY)
        return (1 - users @ items.T)[clicks() > 0].square().mean()

    assert missed(20.0) < missed(1.0)


def test_the_seed_decides():
    a, b, c = (factorise(clicks(), 2, sweeps=1, seed=s) for s in (0, 0, 1))
    assert torch.equal(a.users, b.users)
    assert not torch.equal(a.users, c.users)


@pytest.mark.parametrize("bad", [torch.ones(3), torch.ones(2, 2).long()])
def test_clicks_of_another_shape_or_dtype(bad):
    with pytest.raises(ValueError, match=r"clicks has shape .* expected \(U, I\)"):
        factorise(bad, 2)


@pytest.mark.parametrize("value", [2.0, -1.0, float("nan")])
def test_clicks_are_0_or_1(value):
    with pytest.raises(ValueError, match="other values than 0 and 1"):
        factorise(torch.full((2, 2), value), 2)


def test_no_click_at_all():
    with pytest.raises(ValueError, match="no click"):
        factorise(torch.zeros(2, 2), 2)


@pytest.mark.parametrize("options", [{"weight": -1.0}, {"penalty": 0.0}])
def test_weight_and_penalty(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}.* expected"):
        factorise(clicks(), 2, **options)


@pytest.mark.parametrize("name", ["rank", "sweeps"])
def test_sizes(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        factorise(clicks(), **({"rank": 2} | {name: 0}))

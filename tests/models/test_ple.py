import inspect
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.layers import DenseInput, FieldEmbedding
from recsys_tutorial.models.mmoe import MMoE
from recsys_tutorial.models.ple import PLE, task_losses
from recsys_tutorial.train import fit

D, T, OWN, SHARED, H = 6, 3, 2, 4, 5
E = T * OWN + SHARED
DEPTHS = pytest.mark.parametrize("levels", [1, 2, 3])


def batch(rows=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (rows, T), generator=g).float()
    return {"features": torch.randn(rows, D, generator=g), "labels": labels}


def ple(levels=2, n_tasks=T, **options):
    torch.manual_seed(0)
    sizes = {"own_experts": OWN, "shared_experts": SHARED, "expert_units": H}
    return PLE(DenseInput(D), n_tasks, levels, **sizes | options)


def own_gradients(level):
    """How much gradient each task's own experts have, (T,)."""
    return level.own.weight.grad.abs().sum((1, 2))


# --- the equations


@DEPTHS
@pytest.mark.parametrize("separate", [True, False])
def test_forward_agrees_with_a_slow_loop_over_equations_2_to_7(levels, separate):
    model, data = ple(levels, separate=separate), batch(4)
    hidden, output = model.towers.hidden, model.towers.output
    for row, x in enumerate(data["features"]):
        g = [x] * (T + 1)  # what each task reads, and the shared experts read; level 1
        for j, level in enumerate(model.levels, 1):
            everyone = []  # (owner, output) of each expert; the shared are owned by T
            for k in range(T):
                w, b = level.own.weight[k], level.own.bias[k, 0]  # (D, OWN * H)
                for i in range(OWN):
                    at = slice(i * H, (i + 1) * H)
                    everyone.append((k, torch.relu(g[k] @ w[:, at] + b[at])))
            w = level.shared.linear.weight.view(SHARED, H, -1)
            b = level.shared.linear.bias.view(SHARED, H)
            everyone += [(T, torch.relu(w[i] @ g[T] + b[i])) for i in range(SHARED)]
            fused = []
            for k in range(T if j == levels else T + 1):
                open_to = [
                    e
                    for e, (owner, _) in enumerate(everyone)
                    if owner in (k, T) or k == T or not separate
                ]  # Eq. (4)
                chosen = level.gates.weight[k][:, open_to]
                weight = torch.softmax(g[k] @ chosen, 0)  # Eqs. (3) and (6)
                pairs = zip(weight, open_to, strict=True)
                fused.append(sum(v * everyone[e][1] for v, e in pairs))  # Eq. (2)
            g = fused
        for k in range(T):
            h = torch.relu(g[k] @ hidden.weight[k] + hidden.bias[k, 0])
            y = h @ output.weight[k] + output.bias[k, 0]  # Eqs. (5) and (7)
            assert torch.allclose(model(data)[row, k], y, atol=1e-6)


def test_shapes_with_more_shared_than_own_experts_and_the_reverse():
    for own, shared in ((1, 6), (3, 1)):
        inside = ple(own_experts=own, shared_experts=shared).explain(batch())
        experts = T * own + shared
        assert [g.shape for g in inside.gates] == [
            (10, T + 1, experts),
            (10, T, experts),
        ]
        assert [e.shape for e in inside.experts] == [(10, experts, H)] * 2
        assert [f.shape for f in inside.fused] == [(10, T + 1, H), (10, T, H)]


@DEPTHS
def test_a_task_s_gate_sees_its_own_and_the_shared_experts_alone(levels):
    for gates in ple(levels).explain(batch()).gates:
        assert torch.allclose(gates.sum(-1), torch.ones(gates.shape[:2]))
        for k in range(T):
            seen = gates[:, k] > 0
            assert seen[:, k * OWN : (k + 1) * OWN].all()
            assert seen[:, T * OWN :].all()
            assert (seen.sum(1) == OWN + SHARED).all()


def test_the_shared_gate_sees_all_experts_and_the_last_level_has_none():
    below, top = ple().explain(batch()).gates
    assert (below[:, T] > 0).all()
    assert top.shape[1] == T


def test_the_gate_reads_the_input_at_level_one_and_the_fused_vector_afterwards():
    model, data = ple(), batch()
    gates, _, fused = model.explain(data)
    for level, read, found in (
        (
            model.levels[0],
            data["features"].unsqueeze(1).expand(-1, T + 1, -1),
            gates[0],
        ),
        (model.levels[1], fused[0], gates[1]),
    ):
        scores = torch.einsum(
            "bkd,kde->bke", read[:, : level.n_gates], level.gates.weight
        )
        closed = level.closed.expand_as(scores)
        expected = scores.masked_fill(closed, -torch.inf).softmax(-1)
        assert torch.allclose(found, expected, atol=1e-6)


def test_other_experts_leave_the_gates_of_their_level_alone():
    model, data = ple(), batch()
    before = model.explain(data).gates
    with torch.no_grad():
        model.levels[0].shared.linear.weight += 1.0
    after = model.explain(data).gates
    assert torch.equal(after[0], before[0])
    assert not torch.allclose(after[1], before[1])


def test_gates_have_no_bias():
    zero = {"features": torch.zeros(1, D)}
    gates = ple(levels=1).explain(zero).gates[0]
    assert torch.allclose(gates[gates > 0], torch.tensor(1 / (OWN + SHARED)))


# --- between MMoE, CGC and PLE


def as_mmoe(model, n_tasks):
    """An MMoE with the weights of a model of one level."""
    level = model.levels[0]
    mmoe = MMoE(DenseInput(D), n_tasks, level.closed.shape[1], H)
    own = level.own.weight.transpose(1, 2).reshape(-1, D)  # (T * OWN * H, D)
    with torch.no_grad():
        mmoe.experts.linear.weight.copy_(torch.cat([own, level.shared.linear.weight]))
        biases = [level.own.bias.flatten(), level.shared.linear.bias]
        mmoe.experts.linear.bias.copy_(torch.cat(biases))
        mmoe.gates.linear.weight.copy_(
            level.gates.weight.transpose(1, 2).reshape(-1, D)
        )
    mmoe.towers.load_state_dict(model.towers.state_dict())
    return mmoe


def test_one_level_without_the_mask_is_mmoe():
    model = ple(levels=1, separate=False)
    assert torch.allclose(model(batch()), as_mmoe(model, T)(batch()), atol=1e-6)


def test_one_level_with_the_mask_is_not():
    model = ple(levels=1)
    assert not torch.allclose(model(batch()), as_mmoe(model, T)(batch()), atol=1e-2)


def test_with_one_task_there_is_nothing_to_close():
    data = {"features": batch()["features"]}
    masked, free = ple(levels=1, n_tasks=1), ple(levels=1, n_tasks=1, separate=False)
    assert torch.equal(masked(data), free(data))
    assert torch.allclose(masked(data), as_mmoe(masked, 1)(data), atol=1e-6)
    assert ple(levels=3, n_tasks=1)(data).shape == (10, 1)


# --- gradients


@pytest.mark.parametrize("separate", [True, False])
def test_in_cgc_a_task_s_loss_does_not_reach_the_other_tasks_experts(separate):
    model = ple(levels=1, separate=separate)
    model(batch())[:, 1].sum().backward()
    reached = (own_gradients(model.levels[0]) > 0).tolist()
    assert reached == ([False, True, False] if separate else [True, True, True])
    assert model.levels[0].shared.linear.weight.grad.abs().sum() > 0


def test_in_ple_it_reaches_them_below_the_last_level_through_the_shared_gate():
    model = ple()
    model(batch())[:, 1].sum().backward()
    below, top = (own_gradients(level) > 0 for level in model.levels)
    assert top.tolist() == [False, True, False]
    assert below.tolist() == [True, True, True]


@DEPTHS
def test_all_parts_are_registered_and_learn_but_for_the_gates_weights_behind_the_mask(
    levels,
):
    torch.manual_seed(0)
    model = PLE(FieldEmbedding([5, 5], 4), T, levels)
    data = {"features": torch.randint(1, 5, (200, 2)), "labels": batch(200)["labels"]}
    model.loss(data).backward()
    idle = [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert idle == []
    for level in model.levels:
        used = level.gates.weight.grad.abs().sum(1) > 0  # (gates, E)
        assert torch.equal(used, ~level.closed)


def test_the_number_of_parameters():
    def level(width, gates):
        return E * (width + 1) * H + gates * width * E

    towers = T * ((H + 1) * 8 + (8 + 1))
    count = sum(p.numel() for p in ple().parameters())
    assert count == level(D, T + 1) + level(H, T) + towers


# --- the loss


def test_without_spaces_the_loss_is_the_sum_of_the_tasks_means():
    model, data = ple(), batch()
    logits = model(data)
    terms = [
        F.binary_cross_entropy_with_logits(logits[:, k], data["labels"][:, k])
        for k in range(T)
    ]
    assert torch.allclose(model.loss(data), sum(terms))


def test_equation_9_divides_by_the_rows_of_the_task_s_own_space():
    errors = torch.tensor([[1.0, 9.0], [2.0, 3.0], [3.0, 5.0], [6.0, 7.0]])
    space = torch.tensor([[1, 0], [1, 1], [1, 0], [1, 0]]).bool()
    losses = task_losses(F.l1_loss, errors, torch.zeros(4, 2), space)
    assert losses.tolist() == [3.0, 3.0]  # (1 + 2 + 3 + 6) / 4 and 3 / 1, not 3 / 4


def test_rows_outside_of_a_space_teach_that_task_nothing():
    model, data = ple(), batch()
    space = torch.ones(10, T, dtype=torch.bool)
    space[4:, 1] = False
    loss = model.loss(data | {"space": space})
    other = data["labels"].clone()
    other[4:, 1] = 1 - other[4:, 1]
    assert torch.equal(model.loss({**data, "labels": other, "space": space}), loss)
    assert not torch.equal(model.loss(data | {"labels": other}), loss)


def test_a_task_without_a_row_in_the_batch_costs_nothing():
    model, data = ple(), batch()
    space = torch.ones(10, T, dtype=torch.bool)
    space[:, 1] = False
    model.loss(data | {"space": space}).backward()
    reached = model.towers.output.bias.grad.flatten() != 0
    assert reached.tolist() == [True, False, True]
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_equation_10_the_weights_move_with_the_training_steps():
    model, data = ple(weights=[1.0, 2.0, 4.0], decay=[1.0, 0.5, 1.5]), batch()
    plain = task_losses(model.criterion, model(data), data["labels"])
    for t in range(3):
        weights = torch.tensor([1.0, 2.0 * 0.5**t, 4.0 * 1.5**t])
        assert torch.allclose(model.loss(data), (weights * plain).sum())


def test_only_training_steps_count():
    model, data = ple(decay=0.5), batch()
    fit(model, data, epochs=3, batch_size=5, progress=False)
    model.eval()
    assert model.loss(data) == model.loss(data)
    assert int(model.step) == 6
    assert int(ple().step) == 0
    again = ple(decay=0.5).eval()
    again.load_state_dict(model.state_dict())
    assert again.loss(data) == model.loss(data)


def test_regression():
    model, data = ple(criterion=F.mse_loss), batch()
    expected = (model(data) - data["labels"]).square().mean(0).sum()
    assert torch.allclose(model.loss(data), expected)


# --- as every model


@DEPTHS
def test_rows_are_independent_and_one_is_enough(levels):
    model, data = ple(levels), batch()
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    shuffled = {"features": data["features"][order]}
    assert torch.allclose(model(shuffled), model(data)[order], atol=1e-6)
    one = model({"features": data["features"][:1]})
    assert one.shape == (1, T)
    assert torch.allclose(one, model(data)[:1], atol=1e-6)


@DEPTHS
def test_eight_samples_can_be_learnt_by_heart(levels):
    model, data = ple(levels, expert_units=8), batch(8)
    fit(model, data, epochs=800, lr=0.01, progress=False)
    assert model.loss(data) < 0.02


# --- bad input


@pytest.mark.parametrize("labels", [torch.ones(10), torch.ones(10, T).long()])
def test_labels_of_another_shape_or_dtype(labels):
    with pytest.raises(ValueError, match=rf"labels has shape .* expected \(B, {T}\)"):
        ple().loss(batch() | {"labels": labels})


def test_a_label_may_be_any_number_outside_of_its_space_alone():
    data, space = batch(), torch.ones(10, T, dtype=torch.bool)
    data["labels"][3, 1], space[3, 1] = -1.0, False
    assert ple().loss(data | {"space": space}).isfinite()
    with pytest.raises(ValueError, match="labels holds the values -1 to 1, .* row 3"):
        ple().loss(data)


@pytest.mark.parametrize("space", [torch.ones(10, T), torch.ones(10).bool()])
def test_a_space_of_another_shape_or_dtype(space):
    with pytest.raises(
        ValueError, match=rf"space has shape .* \(10, {T}\) and torch.b"
    ):
        ple().loss(batch() | {"space": space})


@pytest.mark.parametrize(
    "name",
    [
        "n_tasks",
        "levels",
        "own_experts",
        "shared_experts",
        "expert_units",
        "tower_units",
    ],
)
def test_sizes(name):
    build = partial(PLE, DenseInput(D))
    for size in (0, 1.5):
        with pytest.raises(ValueError, match=f"{name.split('_')[-1]}.* is {size}"):
            build(**{"n_tasks": T} | {name: size})


@pytest.mark.parametrize("name", ["weights", "decay"])
@pytest.mark.parametrize(
    "values", [0.0, -1.0, float("nan"), [1.0, 1.0], [1.0, 1.0, 0.0]]
)
def test_weights_are_above_zero_and_one_per_task(name, values):
    with pytest.raises(
        ValueError, match=f"{name} is .* expected a number above 0, or 3"
    ):
        ple(**{name: values})


def test_parameters_are_told_in_the_docstring():
    text = inspect.getdoc(PLE)
    assert all(name in text for name in inspect.signature(PLE).parameters)

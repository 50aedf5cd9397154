import pytest
import torch
import torch.nn.functional as F
from torch import nn

from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.models.pepnet import GateNU, PEPNet
from recsys_tutorial.train import fit

T, SIZES, DIM = 2, [5, 4, 3], 3


def inputs():
    return FieldEmbedding(SIZES, DIM)


def domain():
    return FieldEmbedding([4], 2)


def prior():
    return FieldEmbedding([6], 2)


def batch(rows=10, seed=0):
    g = torch.Generator().manual_seed(seed)

    def ids(n):
        return torch.randint(1, n, (rows,), generator=g)

    return {
        "features": torch.stack([ids(n) for n in SIZES], 1),
        "domain": ids(4)[:, None],
        "prior": ids(6)[:, None],
        "labels": torch.randint(2, (rows, T), generator=g).float(),
    }


def build(model=PEPNet, seed=0, epnet=True, ppnet=True, **options):
    torch.manual_seed(seed)
    known = domain() if epnet else None, prior() if ppnet else None
    sizes = {"n_tasks": T, "units": (5, 4), "gate_units": 3} | options
    return model(inputs(), *known, **sizes)


PARTS = pytest.mark.parametrize(
    "parts", [(True, True), (True, False), (False, True), (False, False)]
)


def slow_gate(gate, x):
    h = torch.relu(gate.hidden.weight @ x + gate.hidden.bias)  # Eq. (1)
    z = gate.output.weight @ h + gate.output.bias
    return gate.gamma / (1 + torch.exp(-z))  # Eq. (2)


@PARTS
@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_forward_agrees_with_a_slow_loop_over_equations_1_to_7(parts, gamma):
    epnet, ppnet = parts
    model, data = build(epnet=epnet, ppnet=ppnet, gamma=gamma), batch(4)
    embedded = model.inputs(data["features"])
    for row, e in enumerate(embedded):
        delta = torch.ones_like(e)
        if epnet:
            d = model.domain(data["domain"])[row]
            delta = slow_gate(model.domain_gate, torch.cat([d, e]))  # Eq. (3)
        o_ep = torch.stack([delta[i] * e[i] for i in range(len(e))])  # Eq. (4)
        for t in range(T):
            h = o_ep
            for number, layer in enumerate(model.layers):
                if ppnet:
                    p = model.prior(data["prior"])[row]
                    wide = slow_gate(model.task_gates[number], torch.cat([p, o_ep]))
                    h = h * wide[t * len(h) : (t + 1) * len(h)]  # Eqs. (5), (6)
                h = h @ layer.weight[t] + layer.bias[t, 0]  # Eq. (7)
                if number < 2:
                    h = torch.relu(h)
            assert torch.allclose(model(data)[row, t], h[0], atol=1e-5)


def test_with_zero_output_weights_and_gamma_2_it_is_the_shared_network():
    model, shared = build(), build(epnet=False, ppnet=False)
    shared.inputs.load_state_dict(model.inputs.state_dict())
    shared.layers.load_state_dict(model.layers.state_dict())
    assert not torch.allclose(model(batch()), shared(batch()))
    silence(model)
    assert torch.equal(model(batch()), shared(batch()))


def test_gamma_1_starts_at_half_the_scale():
    quiet = silence(build(gamma=1.0)).explain(batch())
    assert torch.allclose(quiet.domain_gates, torch.tensor(0.5))
    open_gates = silence(build()).explain(batch())
    o_ep = quiet.domain_gates * quiet.embedding
    assert torch.allclose(2 * o_ep, open_gates.domain_gates * open_gates.embedding)
    # four gates in a row, EPNet's and three of PPNet's: a sixteenth without biases
    plain = {False: silence(build()), True: silence(build(gamma=1.0))}
    for half, model in plain.items():
        for layer in model.layers:
            nn.init.zeros_(layer.bias)
        plain[half] = model(batch())
    assert torch.allclose(plain[False], 16 * plain[True], atol=1e-6)


def silence(model):
    """Gates that know nothing: their output layers are zero."""
    for module in model.modules():
        if isinstance(module, GateNU):
            nn.init.zeros_(module.output.weight)
            nn.init.zeros_(module.output.bias)
    return model


def test_gates_lie_between_0_and_gamma_and_can_enlarge():
    torch.manual_seed(0)
    gate = GateNU(4, 8, 6, gamma=2.0)
    found = gate(30 * torch.randn(200, 4))
    assert found.shape == (200, 6)
    assert 0 <= found.min() < 0.5
    assert 1.5 < found.max() <= 2


def test_what_is_determined_is_one_dimension_s_ratio_between_rows_not_the_order():
    """A factor for each dimension, the same in every row, can go into the weights."""
    model, data = build(ppnet=False), batch()
    before, gates = model(data), model.explain(data).domain_gates
    c = torch.linspace(0.2, 3.0, 9)
    model.domain_gate.gamma = 2.0 * c
    with torch.no_grad():
        model.layers[0].weight /= c[:, None]
    after = model.explain(data).domain_gates
    assert torch.allclose(model(data), before, atol=1e-6)
    assert not torch.equal(after[0].argsort(), gates[0].argsort())
    assert torch.allclose(after[0] / after[1], gates[0] / gates[1])


def test_a_gate_is_a_vector_and_can_turn_a_field_not_just_stretch_it():
    inside = build().explain(batch())
    field = (inside.domain_gates * inside.embedding)[:, :DIM]
    before = inside.embedding[:, :DIM]
    assert inside.domain_gates.shape == inside.embedding.shape
    assert F.cosine_similarity(field, before).min() < 0.999


def test_the_gates_multiply_what_a_layer_reads_not_what_it_says():
    """Contrast: gates on the outputs leave the first input alone, and gate logits."""
    model, data = build(), batch()
    inside = model.explain(data)
    assert [g.shape[-1] for g in inside.task_gates] == [9, 5, 4]
    o_ep = inside.domain_gates * inside.embedding
    assert torch.equal(inside.read[0][:, 0], o_ep)
    last = inside.task_gates[-1] * inside.read[-1]
    assert torch.allclose(model.layers[-1](last).squeeze(2), inside.logits)
    # with all inputs of the last layer shut, its bias is left: a gated output has none
    nn.init.constant_(model.task_gates[-1].output.bias, -1e4)
    nn.init.zeros_(model.task_gates[-1].output.weight)
    bias = model.layers[-1].bias[:, 0, 0]
    assert torch.allclose(model(data), bias.expand(10, T))


def test_each_task_has_gates_of_its_own():
    gates = build().explain(batch()).task_gates[1]
    assert not torch.allclose(gates[:, 0], gates[:, 1])
    model = build()
    model(batch())[:, 1].sum().backward()
    reached = model.task_gates[1].output.bias.grad.view(T, -1).abs().sum(1) > 0
    assert reached.tolist() == [False, True]


def test_the_domain_decides_epnet_s_gates_and_the_prior_ppnet_s():
    model, data = build(), batch()
    before = model.explain(data)
    elsewhere = model.explain(data | {"domain": data["domain"] % 3 + 1})
    assert not torch.allclose(before.domain_gates, elsewhere.domain_gates)
    somebody = model.explain(data | {"prior": data["prior"] % 5 + 1})
    assert torch.equal(before.domain_gates, somebody.domain_gates)
    for old, new in zip(before.task_gates, somebody.task_gates, strict=True):
        assert not torch.allclose(old, new)


def through_gates(model):
    """What the gates alone teach the embeddings: the towers' own way is closed."""
    inside = model.explain(batch())
    taught = inside.domain_gates.sum() + sum(g.sum() for g in inside.task_gates)
    if not taught.requires_grad:
        return 0.0
    slope = torch.autograd.grad(taught, model.inputs.table, allow_unused=True)[0]
    return 0.0 if slope is None else float(slope.abs().sum())


@pytest.mark.parametrize("parts", [(True, False), (False, True), (True, True)])
def test_gates_do_not_teach_the_embeddings_that_they_read(parts):
    epnet, ppnet = parts
    assert through_gates(build(epnet=epnet, ppnet=ppnet)) == 0
    assert through_gates(build(epnet=epnet, ppnet=ppnet, stop_gradient=False)) > 0


def test_the_second_stop_shuts_epnet_off_from_ppnet_s_gates():
    model = build()
    inside = model.explain(batch())
    sum(g.sum() for g in inside.task_gates).backward()
    assert model.domain_gate.output.weight.grad is None
    assert model.domain.table.grad is None
    assert model.prior.table.grad.abs().sum() > 0


def test_the_stop_changes_no_prediction_only_what_is_learnt():
    stopped, free, data = build(), build(stop_gradient=False), batch()
    assert torch.equal(stopped(data), free(data))
    slopes = []
    for model in (stopped, free):
        model.loss(data).backward()
        slopes.append(model.inputs.table.grad)
    assert not torch.allclose(*slopes)


@PARTS
def test_every_parameter_learns(parts):
    model = build(epnet=parts[0], ppnet=parts[1])
    model.loss(batch(200)).backward()
    idle = [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert idle == []


@PARTS
def test_rows_are_independent_and_a_batch_of_one_works(parts):
    model, data = build(epnet=parts[0], ppnet=parts[1]), batch()
    for row in range(3):
        alone = {k: v[row : row + 1] for k, v in data.items()}
        assert torch.allclose(model(alone), model(data)[row : row + 1], atol=1e-6)


def test_padding_in_a_field_adds_nothing_however_wide_its_gate():
    model, data = build(), batch()
    data["features"][:, 0] = 0
    inside = model.explain(data)
    assert not (inside.domain_gates * inside.embedding)[:, :DIM].any()
    assert (inside.domain_gates[:, :DIM] > 0).all()


def test_a_task_s_loss_reaches_only_its_own_tower():
    model = build()
    model(batch())[:, 1].sum().backward()
    for layer in model.layers:
        assert (layer.weight.grad.abs().sum((1, 2)) > 0).tolist() == [False, True]


def test_the_loss_is_the_sum_of_the_tasks_mean_losses():
    model, data = build(), batch()
    terms = [
        F.binary_cross_entropy_with_logits(model(data)[:, t], data["labels"][:, t])
        for t in range(T)
    ]
    assert torch.allclose(model.loss(data), sum(terms))


@PARTS
def test_eight_samples_can_be_learnt_by_heart(parts):
    model, data = build(epnet=parts[0], ppnet=parts[1], units=(16, 8)), batch(8)
    rows = torch.arange(8)
    data["features"] = torch.stack([rows % 4, rows // 4, 0 * rows], 1) + 1
    fit(model, data, epochs=600, lr=0.02, progress=False)
    assert model.loss(data) < 0.02


def test_without_gates_no_domain_and_no_prior_are_asked_for():
    shared = build(epnet=False, ppnet=False)
    data = {k: batch()[k] for k in ("features", "labels")}
    inside = shared.explain(data)
    assert (inside.domain_gates == 1).all()
    assert all((gates == 1).all() for gates in inside.task_gates)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": 0.0}, "gamma is 0.0; expected a number above 0"),
        ({"gamma": float("nan")}, "gamma is nan; expected a number above 0"),
        ({"gate_units": 0}, "gate_units is 0; expected an integer"),
        ({"units": (5, 0)}, "units is 0; expected an integer"),
        ({"n_tasks": 0}, "n_tasks is 0; expected an integer"),
    ],
)
def test_bad_sizes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_bad_batches_are_refused():
    model, data = build(), batch()
    with pytest.raises(IndexError, match="holds ids from 1 to 9; expected 0 to 3"):
        model(data | {"domain": torch.full((10, 1), 9).index_fill(0, one(), 1)})
    with pytest.raises(ValueError, match="domain has 3 rows and features 10"):
        model(data | {"domain": data["domain"][:3]})
    with pytest.raises(ValueError, match="prior has 3 rows and features 10"):
        model(data | {"prior": data["prior"][:3]})
    with pytest.raises(ValueError, match="labels has shape"):
        model.loss(data | {"labels": data["labels"][:, :1]})
    lacking = {k: v for k, v in data.items() if k != "domain"}
    with pytest.raises(ValueError, match="data lacks 'domain'"):
        fit(model, lacking, epochs=1, progress=False)


def one():
    return torch.tensor([0])

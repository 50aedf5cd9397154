import pytest
import torch

from recsys_tutorial.models.din import ItemEmbedding
from recsys_tutorial.models.ranker import Ranker, RankerInputs
from recsys_tutorial.train import fit

ITEMS, L, FIELDS = 9, 5, [4, 3]


def build(seed=0):
    torch.manual_seed(seed)
    return Ranker(RankerInputs(ItemEmbedding(ITEMS, 3), FIELDS, 2, 4))


def batch(rows=8, seed=0):
    g = torch.Generator().manual_seed(seed)

    def ids(n, *shape):
        return torch.randint(1, n, (rows, *shape), generator=g)

    real = torch.arange(L) < torch.randint(1, L + 1, (rows, 1), generator=g)
    return {
        "history": ids(ITEMS, L) * real,
        "liked": ids(3, L) * real,
        "candidate": ids(ITEMS),
        "fields": torch.stack([ids(n) for n in FIELDS], 1),
        "labels": torch.randint(2, (rows, 2), generator=g).float().cumprod(1),
    }


def test_a_slow_loop_gives_the_same():
    model, data = build(), batch()
    inputs, mmoe = model.mmoe.inputs, model.mmoe
    table, unit = inputs.items.table(), inputs.unit
    expected = []
    for b in range(8):
        c, user = table[data["candidate"][b]], torch.zeros(3)
        for item, liked in zip(data["history"][b], data["liked"][b], strict=True):
            if item == 0:
                continue
            e = table[item] + inputs.liked[liked - 1]
            x = unit.hidden(torch.cat([c, e, c - e, c * e]))
            weight = unit.output(unit.activation(x[None])[0])
            user = user + weight / 50 * e
        fields = inputs.fields(data["fields"][b : b + 1])[0]
        x = torch.cat([user, c, user * c, fields])[None]
        experts, gates = mmoe.experts(x)[0], mmoe.gates(x)[0]
        mixed = torch.stack([sum(g * e for g, e in zip(gate, experts, strict=True))
                             for gate in gates])  # fmt: skip
        expected.append(mmoe.towers(mixed[None])[0])
    torch.testing.assert_close(model(data), torch.stack(expected))


def test_padding_and_the_order_of_the_history_change_nothing():
    model, data = build(), batch()
    longer = {k: torch.nn.functional.pad(data[k], (0, 3)) for k in ("history", "liked")}
    torch.testing.assert_close(model(data | longer), model(data))
    backwards = {k: data[k].flip(1) for k in ("history", "liked")}
    torch.testing.assert_close(model(data | backwards), model(data))


def test_a_like_counts():
    model, data = build(), batch()
    other = torch.where(data["liked"] > 0, 3 - data["liked"], 0)
    assert not torch.allclose(model(data | {"liked": other}), model(data))


def test_nobody_s_history_gives_finite_scores():
    data = batch()
    nothing = {k: torch.zeros_like(data[k]) for k in ("history", "liked", "fields")}
    assert build()(data | nothing).isfinite().all()


def test_what_is_inside():
    model, data = build(), batch()
    attention, gates = model.explain(data)
    assert attention.shape == (8, L)
    assert not attention[data["history"] == 0].any()
    torch.testing.assert_close(gates.sum(2), torch.ones(8, 2))


def test_every_parameter_gets_a_gradient():
    model = build()
    model.loss(batch(64)).backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


def test_eight_samples_are_learnt_by_heart():
    model, data = build(), batch()
    assert fit(model, data, epochs=300, lr=0.02, progress=False).loss.iloc[-1] < 0.05


@pytest.mark.parametrize("name", ["history", "liked", "candidate", "fields"])
def test_an_id_out_of_range_is_named(name):
    data = batch()
    data[name] = data[name].clone()
    data[name].view(-1)[0] = 99
    with pytest.raises(IndexError, match=name.rstrip("s")):
        build()(data)

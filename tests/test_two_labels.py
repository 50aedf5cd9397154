"""Logistic regression with a weight for each id, and probabilities of every model."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.models.esmm import ESMM
from recsys_tutorial.models.mmoe import MMoE
from recsys_tutorial.two_labels import FieldRegression, probabilities


@pytest.fixture
def data():
    draw = torch.Generator().manual_seed(0)
    features = torch.randint(0, 4, (300, 3), generator=draw)
    noise = torch.rand(300, 2, generator=draw)
    labels = (noise < 0.2 + 0.2 * features[:, :2]).float()
    return {"features": features, "labels": labels}


def test_it_is_the_regression_of_one_hot_columns(data):
    model = FieldRegression([4, 4, 4], 2).fit_rows(**data)
    hot = torch.nn.functional.one_hot(data["features"], 4)[:, :, 1:].flatten(1)
    for task in range(2):
        slow = LogisticRegression(C=0.1, max_iter=1000)
        slow.fit(hot.numpy(), data["labels"][:, task].numpy())
        p = probabilities(model, data["features"])[:, task]
        assert np.allclose(p, slow.predict_proba(hot.numpy())[:, 1], atol=1e-4)


def test_what_is_unknown_weighs_nothing(data):
    model = FieldRegression([4, 4, 4], 2).fit_rows(**data)
    nothing = model({"features": torch.zeros(1, 3, dtype=torch.int64)})
    assert torch.equal(nothing[0], model.bias)


def test_the_strength_holds_the_weights(data):
    loose, tight = (
        FieldRegression([4, 4, 4], 2).fit_rows(**data, strength=s) for s in (10, 0.001)
    )
    table = [m.weights.table[[1, 2, 3, 5, 6, 7]].abs().mean() for m in (loose, tight)]
    assert table[1] < table[0] / 5


def test_a_chain_gives_the_product_and_others_their_logits(data):
    torch.manual_seed(0)
    chain, mixture = (
        ESMM(FieldEmbedding([4, 4, 4], 2)),
        MMoE(FieldEmbedding([4, 4, 4], 2), 2),
    )
    p = probabilities(chain, data["features"], rows=7)
    inside = chain.explain(data)
    assert torch.allclose(p, torch.stack([inside.ctr, inside.ctcvr], 1), atol=1e-6)
    assert (p[:, 1] <= p[:, 0]).all()
    p = probabilities(mixture, data["features"], rows=7)
    assert torch.allclose(p, mixture(data).sigmoid(), atol=1e-6)
    assert not p.requires_grad

"""Rows with two labels: a baseline, and the probabilities that any of the models means.

Dimension letters: ``B`` rows, ``F`` fields, ``T`` labels.
"""

import numpy as np
import torch
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.scoring import evaluating


class FieldRegression(nn.Module):
    """Logistic regression, one for each label: a weight for every id of every field.

    A batch has ``features`` (B, F), int64 ids; id 0, unknown or missing, weighs 0.

    Parameters
    ----------
    sizes : sequence of int
        Number of ids of each field, 0 included.
    n_tasks : int
        Number ``T`` of labels.
    """

    def __init__(self, sizes, n_tasks: int):
        super().__init__()
        self.n_tasks = n_tasks
        self.weights = FieldEmbedding(sizes, n_tasks)
        self.bias = nn.Parameter(torch.zeros(n_tasks))

    def forward(self, batch):
        weights = self.weights(batch["features"])  # (B, F * T)
        return weights.unflatten(1, (-1, self.n_tasks)).sum(1) + self.bias  # (B, T)

    def fit_rows(
        self, features: Tensor, labels: Tensor, strength: float = 0.1
    ) -> "FieldRegression":
        """Fit all rows at once, by scikit-learn; gives the model itself.

        Parameters
        ----------
        features, labels : Tensor
            ``(N, F)`` ids, and ``(N, T)`` zeros and ones, both in each column.
        strength : float
            scikit-learn's ``C``: the smaller, the closer the weights stay to 0.
        """
        columns = (features + self.weights.offsets).numpy()  # (N, F)
        known = (features > 0).numpy()
        starts = np.append(0, known.sum(1).cumsum())
        shape = len(features), len(self.weights.table)
        table = csr_matrix((np.ones(known.sum()), columns[known], starts), shape)
        for task in range(self.n_tasks):
            regression = LogisticRegression(C=strength, max_iter=1000)
            regression.fit(table, labels[:, task].numpy())
            with torch.no_grad():
                self.weights.table[:, task] = torch.tensor(regression.coef_[0])
                self.bias[task] = float(regression.intercept_[0])
        return self


def probabilities(model: nn.Module, features: Tensor, rows: int = 8192) -> Tensor:
    """What the model thinks of each label, ``(N, T)``, from 0 to 1, on the CPU.

    A model that has a chain of labels, such as `ESMM`, whose ``explain`` tells ``ctr``
    and ``ctcvr``, gives these two; of others the logits become probabilities.

    Parameters
    ----------
    model : nn.Module
        Reads ``features``.
    features : LongTensor
        ``(N, F)``.
    rows : int
        Rows of one pass.
    """
    found = []
    with evaluating(model) as device:
        for part in features.split(rows):
            batch = {"features": part.to(device)}
            told = model.explain(batch) if hasattr(model, "explain") else None
            if hasattr(told, "ctcvr"):
                found.append(torch.stack([told.ctr, told.ctcvr], 1).cpu())
            else:
                found.append(model(batch).sigmoid().cpu())
    return torch.cat(found)

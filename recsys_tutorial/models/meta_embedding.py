"""Meta-Embedding: a generator of first embeddings for new ids.

Pan et al., "Warm Up Cold-start Advertisements: Improving CTR Predictions via Learning
to Learn ID Embeddings", SIGIR 2019. Dimension letters: ``B`` rows or tasks of a batch,
``K`` samples in one half of a task, ``F`` fields of the context, ``D`` width of an
embedding, ``I`` ids of items, padding (id 0) included.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.data.tensors import check_data, take
from recsys_tutorial.layers import check_ids, check_labels, positive


class Inside(NamedTuple):
    """What `MetaEmbedding.explain` returns, for each of B tasks."""

    first: Tensor  # (B, D), the generated embedding phi_init
    stepped: Tensor  # (B, D), phi', one gradient step further
    cold: Tensor  # (B,), l_a
    warm: Tensor  # (B,), l_b


class MetaEmbedding(nn.Module):
    """Eqs. (8) to (15): the generator h_w, taught by old items that play new ones.

    Its batch is one of tasks, see `make_tasks`. Only `generator` learns.

    Parameters
    ----------
    base : DeepFM
        Trained; it is frozen here (its parameters ask for no gradient any more).
    inner_rate : float
        The step ``a`` of Eq. (12), at least 0.
    alpha : float
        Weight of the cold loss in Eq. (15); 0.1 in the paper.
    scale : float
        Largest entry of a generated embedding; 0.2 in the released code.
    penalty : float
        Weight of the sum of the squared weights of the generator.
    first_order : bool
        Take the inner gradient for a constant: Eq. (17) without its second derivative.
    """

    def __init__(
        self, base, inner_rate=1.0, alpha=0.1, scale=1.0, penalty=0.0, first_order=False
    ):
        super().__init__()
        if not inner_rate >= 0:
            raise ValueError(f"inner_rate is {inner_rate}; expected at least 0")
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha is {alpha}; expected a share from 0 to 1")
        self.base = base.requires_grad_(False)
        self.inner_rate, self.alpha, self.first_order = inner_rate, alpha, first_order
        self.scale, self.penalty = scale, penalty
        dim = base.items.embedding_dim
        self.generator = nn.Linear(base.description_width, dim, bias=False)

    def generate(self, items):
        """Eq. (8): ``phi_init`` (B, D) of the items (B,), from their content alone."""
        check_ids("item", items, 1, len(self.base.content), lowest=1)
        return self.scale * self.generator(self.base.describe(items)).tanh()

    def forward(self, batch):
        """Logits (B,) of ordinary rows, all of whose items are new."""
        return self.base(batch, self.generate(batch["item"]))

    def explain(self, batch):
        check_tasks(batch)
        with torch.enable_grad():  # the inner step needs it, also in evaluation
            first = self.generate(batch["item"])  # (B, D)
            cold = self.half_loss(first, batch, 0)  # (B,), Eq. (11)
            (slope,) = torch.autograd.grad(
                cold.sum(), first, create_graph=not self.first_order, retain_graph=True
            )
            stepped = first - self.inner_rate * slope  # Eq. (12)
        return Inside(first, stepped, cold, self.half_loss(stepped, batch, 1))

    def half_loss(self, phi, batch, half):
        """Mean loss (B,) of each task's K samples of one half; they share one phi."""
        features, label = batch["features"][:, half], batch["label"][:, half]
        n, k, _ = features.shape
        rows = {
            "item": batch["item"].repeat_interleave(k),
            "features": features.flatten(0, 1),
        }
        logits = self.base(rows, phi.repeat_interleave(k, 0)).view(n, k)
        return F.binary_cross_entropy_with_logits(logits, label, reduction="none").mean(
            1
        )

    def loss(self, batch):
        _, _, cold, warm = self.explain(batch)
        meta = self.alpha * cold + (1 - self.alpha) * warm  # (B,), Eq. (15)
        return meta.mean() + self.penalty * self.generator.weight.square().sum()


def check_tasks(batch):
    """Raise unless `batch` is one of tasks, with two halves of equal size."""
    shape, label = tuple(batch["features"].shape), tuple(batch["label"].shape)
    if len(shape) != 4 or shape[1] != 2 or label != shape[:3]:
        raise ValueError(
            f"features has shape {shape} and label {label}; expected (B, 2, K, F) and "
            "(B, 2, K), tasks of two halves, as make_tasks gives them"
        )
    check_labels("label", batch["label"], label)


def make_tasks(data, n_samples, seed=0):
    """Cut each item's rows into tasks of two disjoint halves, D^a and D^b.

    Parameters
    ----------
    data : dict
        ``item`` (N,), ``features`` (N, F), ``label`` (N,), of old items.
    n_samples : int
        K, the samples of one half. An item with n rows gives n // 2K tasks, which share
        no row; what is left over is not used.
    seed : int
        Order of an item's rows.

    Returns
    -------
    dict
        ``item`` (B,), ``features`` (B, 2, K, F), ``label`` (B, 2, K).

    Raises
    ------
    ValueError
        If no item has 2K rows.
    """
    size = 2 * positive("n_samples", n_samples)
    order = torch.randperm(
        check_data(data), generator=torch.Generator().manual_seed(seed)
    )
    order = order.to(data["item"].device)
    order = order[data["item"][order].argsort(stable=True)]
    turn, count = turns(data["item"][order])
    rows = order[turn < count // size * size].view(-1, 2, n_samples)  # (B, 2, K)
    if not len(rows):
        raise ValueError(f"no item has {size} rows, two halves of {n_samples}")
    tasks = take(data, rows)
    return tasks | {"item": tasks["item"][:, 0, 0]}


def turns(items):
    """For each row (N,): its turn among the rows of its item, from 0; their number."""
    order = items.argsort(stable=True)
    _, count = items[order].unique_consecutive(return_counts=True)
    first = count.cumsum(0) - count
    turn = torch.empty_like(items)
    place = torch.arange(len(items), device=items.device)
    turn[order] = place - first.repeat_interleave(count)
    return turn, torch.bincount(items)[items]


def warm_up_batches(data, n_samples):
    """Each item's first K rows, its next K, the K after those, and the rest.

    Parameters
    ----------
    data : dict
        As in `make_tasks`, of new items, in the order in which the rows arrive.
    n_samples : int
        K.

    Returns
    -------
    list of dict
        Four parts, disjoint: the paper's batches a, b and c, and what to test on.

    Raises
    ------
    ValueError
        If an item has no row left for the rest.
    """
    needed = 3 * positive("n_samples", n_samples) + 1
    check_data(data)
    turn, count = turns(data["item"])
    if count.min() < needed:
        item = int(data["item"][count.argmin()])
        raise ValueError(
            f"item {item} has {int(count.min())} rows; expected at least {needed}, "
            f"3 batches of {n_samples} and one to test on"
        )
    part = (turn // n_samples).clamp(max=3)
    return [take(data, part == i) for i in range(4)]


def warm_up(base, table, batch, rate):
    """One gradient step for each item of `batch`, on its embedding alone.

    This is Eq. (12) at test time: the loss is an item's mean over its rows, however
    many it has. Neither `base` nor `table` is changed.

    Parameters
    ----------
    base : DeepFM
        The base model.
    table : Tensor
        ``(I, D)``, the embeddings of all ids before the step.
    batch : dict
        ``item`` (B,), ``features`` (B, F), ``label`` (B,).
    rate : float
        Size of the step.

    Returns
    -------
    Tensor
        ``(I, D)``, equal to `table` in the rows of all other items.
    """
    items = batch["item"]
    check_labels("label", batch["label"], items.shape)
    phi = table.detach().requires_grad_()
    losses = F.binary_cross_entropy_with_logits(
        base(batch, phi[items]), batch["label"], reduction="none"
    )
    share = 1 / torch.bincount(items)[items]  # of its item's mean
    (slope,) = torch.autograd.grad((losses * share).sum(), phi)
    return table - rate * slope

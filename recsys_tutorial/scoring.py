"""Scores of candidates for many requests, and the best of them.

Dimension letters: ``N`` requests, ``K`` candidates, ``S`` items to leave out, ``I``
items (padding included), ``B`` rows of one pass through the model.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recsys_tutorial.data.gathered import Gathered
from recsys_tutorial.data.tensors import check_data, take, told_of_data
from recsys_tutorial.layers import positive

PAIRS = 2**20  # of requests and candidates that `top_k` holds at a time


class Best(NamedTuple):
    """What `top_k` returns, the best first."""

    items: Tensor  # (N, k), int64; 0 where a request has no candidate left
    scores: Tensor  # (N, k), logits; minus infinity there


def score(
    model: nn.Module,
    requests: dict[str, Tensor],
    candidates: Tensor,
    *,
    item: str = "candidate",
    batch_size: int = 1024,
) -> Tensor:
    """Logits of each request's candidates, in evaluation mode and without gradients.

    Parameters
    ----------
    model : nn.Module
        Its ``forward`` scores one item in each row, ``(B,)``, as `DIN` does, or all
        items at once, ``(B, I)`` with minus infinity for the padding, as `SASRec` does.
        In which modes its parts are, training or evaluation, is as before in the end.
    requests : dict of tensors
        ``N`` rows of all that the model reads besides the item.
    candidates : LongTensor
        ``(K,)`` for all requests, or ``(N, K)``; 0 is padding.
    item : str
        Where the model looks for the item that it is to score, "item" in `DropoutNet`
        and `DeepFM`. What `requests` has there is not read.
    batch_size : int
        Rows of one pass, at least 1.

    Returns
    -------
    Tensor
        ``(N, K)``, on the model's device; minus infinity for padding.

    Raises
    ------
    ValueError
        If `requests` is no dict of tensors of one length, or lacks one that the model
        reads, `candidates` is not as told, or the model gives anything else.
    IndexError
        If a candidate is none of the model's items.
    """
    n = _check(requests, candidates)
    table = candidates.expand(n, -1)  # (N, K)
    K = table.shape[1]
    with evaluating(model) as device:

        def answer(rows, items):
            batch = {name: values[rows] for name, values in requests.items()}
            batch[item] = items.clamp(min=1)
            batch = {name: values.to(device) for name, values in batch.items()}
            with told_of_data(batch, what="requests"):
                return _checked(model(batch), len(items))

        first = torch.tensor([0])
        if answer(first, table[first, 0]).ndim == 1:  # one item in a row
            pairs = torch.arange(n * K).split(positive("batch_size", batch_size))
            parts = [answer(p // K, table[p // K, p % K]) for p in pairs]
            scores = torch.cat(parts).view(n, K)
        else:
            rows = torch.arange(n).split(positive("batch_size", batch_size))
            parts = [_pick(answer(r, table[r, 0]), table[r].to(device)) for r in rows]
            scores = torch.cat(parts)
    return scores.masked_fill(table.to(device) == 0, -torch.inf)


def top_k(
    model: nn.Module,
    requests: dict[str, Tensor],
    candidates: Tensor,
    k: int,
    seen: Tensor | None = None,
    *,
    item: str = "candidate",
    batch_size: int = 1024,
) -> Best:
    """The `k` best candidates of each request, best first; of equals, the first.

    Parameters
    ----------
    model, requests, candidates, item, batch_size
        As in `score`; no request has a candidate twice.
    k : int
        From 1 to ``K``.
    seen : Tensor, optional
        What is not to be recommended: ``(N, S)`` int64 ids, 0 for padding; or a table
        ``(N, I)`` of bools.

    Raises
    ------
    ValueError, IndexError
        As `score` does; also if `k` is above ``K``, a candidate stands twice, `seen` is
        not as told, or a score is NaN of an item that is not seen.
    """
    n = _check(requests, candidates)
    table = candidates.expand(n, -1)  # (N, K)
    K = table.shape[1]
    if positive("k", k) > K:
        raise ValueError(f"k is {k}; expected at most {K}, the number of candidates")
    _check_distinct(candidates.view(-1, K))
    if seen is not None:
        _check_seen(seen, n, int(candidates.max()))
    found = []
    for rows in torch.arange(n).split(max(1, PAIRS // K)):
        part = take(requests, rows)
        scores = score(model, part, table[rows], item=item, batch_size=batch_size)
        own = table[rows].to(scores.device)
        if seen is not None and seen.numel():
            old = _known(own, seen[rows].to(scores.device))
            scores = scores.masked_fill(old, -torch.inf)
        if scores.isnan().any():
            row, column = scores.isnan().nonzero()[0].tolist()
            raise ValueError(
                f"the score of item {int(own[row, column])} in row {int(rows[row])} is "
                "NaN; expected a number: look at the loss of the training"
            )
        order = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
        best = scores.gather(1, order)
        found.append((own.gather(1, order).masked_fill(best == -torch.inf, 0), best))
    return Best(*(torch.cat(parts) for parts in zip(*found, strict=True)))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """Evaluation mode, no gradients; gives the model's device.

    In the end each part of the model is in the mode in which it was.
    """
    modes = [(part, part.training) for part in model.modules()]
    first = next((t for ts in (model.parameters(), model.buffers()) for t in ts), None)
    try:
        with torch.no_grad():
            model.eval()
            yield torch.device("cpu") if first is None else first.device
    finally:
        for part, mode in modes:
            part.training = mode


def _checked(scores, rows: int) -> Tensor:
    """What the model gave, if it is one row of floats for each row of the batch."""
    if not isinstance(scores, Tensor):
        raise ValueError(
            f"the model gives a {type(scores).__name__}; expected a tensor of scores, "
            "(B,) or (B, I): choose one of its parts in a module around it"
        )
    if not scores.is_floating_point() or (scores.ndim and len(scores) != rows):
        raise ValueError(
            f"the model gives shape {tuple(scores.shape)} and dtype {scores.dtype} for "
            f"a batch of {rows}; expected floats, (B,) or (B, I)"
        )
    return scores


def _pick(scores: Tensor, items: Tensor) -> Tensor:
    """The scores (B, K) of `items` out of those of all items, (B, I)."""
    if scores.ndim != 2 or not (scores[:, 0] == -torch.inf).all():
        raise ValueError(
            f"the model gives shape {tuple(scores.shape)}; expected (B,), or (B, I) "
            "with minus infinity for the padding: of several tasks, choose one"
        )
    if items.max() >= scores.shape[1]:
        raise IndexError(
            f"candidates holds {int(items.max())}; expected at most "
            f"{scores.shape[1] - 1}, the last item of the model"
        )
    return scores.gather(1, items)


def _known(items: Tensor, seen: Tensor) -> Tensor:
    """Which of the items (N, K) their row has seen; `seen` is as in `top_k`."""
    if seen.dtype == torch.bool:
        return seen.gather(1, items)
    seen = seen.sort(dim=1).values
    place = torch.searchsorted(seen, items.contiguous())  # row by row
    return seen.gather(1, place.clamp(max=seen.shape[1] - 1)) == items


def _check(requests: dict[str, Tensor], candidates: Tensor) -> int:
    n = check_data(requests)
    _check_tensor("candidates", candidates)
    shape = tuple(candidates.shape)
    fits = len(shape) == 1 or (len(shape) == 2 and shape[0] == n)
    if candidates.dtype != torch.int64 or not fits or not shape[-1]:
        raise ValueError(
            f"candidates has shape {shape} and dtype {candidates.dtype}; expected "
            f"int64 ids of shape (K,) or ({n}, K), K at least 1"
        )
    if candidates.min() < 0:
        raise ValueError(
            f"candidates holds {int(candidates.min())}; expected ids from 1, and 0 for "
            "padding"
        )
    return n


def _check_tensor(name: str, ids) -> None:
    if not isinstance(ids, Tensor) or ids.layout != torch.strided:
        way = f"torch.tensor({name})"
        if isinstance(ids, Tensor | Gathered):
            way = f"{name}.to_dense()" if isinstance(ids, Tensor) else f"{name}[:]"
        raise ValueError(
            f"{name} is a {type(ids).__name__}; expected a dense tensor of ids: {way}"
        )


def _check_distinct(candidates: Tensor) -> None:
    ordered = candidates.sort(dim=1).values
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > 0)
    if twice.any():
        row, column = twice.nonzero()[0].tolist()
        raise ValueError(
            f"candidates holds {int(ordered[row, column])} twice in row {row}; "
            "expected each item once: candidates.unique()"
        )


def _check_seen(seen: Tensor, n: int, highest: int) -> None:
    _check_tensor("seen", seen)
    table = seen.dtype == torch.bool
    width = f"I, above {highest}" if table else "S"
    fits = seen.ndim == 2 and len(seen) == n and (not table or seen.shape[1] > highest)
    if not fits or not (table or seen.dtype == torch.int64):
        raise ValueError(
            f"seen has shape {tuple(seen.shape)} and dtype {seen.dtype}; expected "
            f"int64 ids or bools of shape ({n}, {width})"
        )
    if (seen < 0).any():
        raise ValueError(
            f"seen holds {int(seen.min())}; expected ids from 1, and 0 for padding"
        )

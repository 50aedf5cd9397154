"""A world of lists whose worth is known: tastes, a logging policy, and what it logged.

Dimension letters: ``U`` users, ``I`` items (padding included), ``G`` topics, ``F``
width of an item's content, ``L`` history length, ``S`` items in a list, ``N`` logged
lists.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from recsys_tutorial.layers import positive


@dataclass(frozen=True)
class ListWorld:
    """What `list_world` makes.

    Attributes
    ----------
    topic, content : Tensor
        ``(I,)`` int64, from 0, and -1 for the padding; ``(I, F)``, the topic's centre
        with noise around it.
    taste : Tensor
        ``(U, G)``, what an item of a topic is worth to a user; its mean is 0.
    history : Tensor
        ``(U, L)`` int64, items that a user has chosen.
    user, items, labels : Tensor
        The log: ``(N,)`` int64 from 0, ``(N, S)`` int64 and ``(N, 2)`` floats, whether
        the user watched the list through, and liked it.
    repetition : float
        What it costs if all items are of one topic.
    """

    topic: Tensor
    content: Tensor
    taste: Tensor
    history: Tensor
    user: Tensor
    items: Tensor
    labels: Tensor
    repetition: float

    def utility(self, user: Tensor, items: Tensor) -> Tensor:
        """The true worth ``(B,)`` of lists ``(B, S)`` to users ``(B,)``.

        The mean of the user's tastes, where an empty place (id 0) counts 0, less
        `repetition` times the share of pairs of places that have the same topic.
        """
        if items.ndim != 2 or items.shape[1] < 2 or user.shape != items.shape[:1]:
            raise ValueError(
                f"user has shape {tuple(user.shape)} and items {tuple(items.shape)}; "
                "expected (B,) and (B, S), two items in a list or more"
            )
        real, S = items > 0, items.shape[1]
        topic = self.topic[items]  # (B, S)
        taste = self.taste[user].gather(1, topic.clamp(min=0)) * real
        same = (topic[:, :, None] == topic[:, None]) & real[:, :, None]
        pairs = (same.sum((1, 2)) - real.sum(1)) / 2
        return taste.mean(1) - self.repetition * pairs / math.comb(S, 2)


def list_world(
    n_logs: int = 20_000,
    *,
    n_users: int = 150,
    n_items: int = 128,
    n_topics: int = 8,
    length: int = 20,
    size: int = 5,
    repetition: float = 3.0,
    threshold: float = 0.7,
    warmth: float = 0.7,
    seed: int = 0,
) -> ListWorld:
    r"""Users with tastes, and what they made of lists that a mild policy showed them.

    A taste is normal with standard deviation 1.5. A user's history is drawn from all
    items, none twice, with probabilities proportional to :math:`e^{taste}`. The
    logging policy draws the items of a list in the same way, but with
    :math:`e^{warmth \cdot taste}`. With :math:`x = 4 (utility - threshold)`, a list is
    watched through with log-odds x and liked with log-odds :math:`x - 1.5`.

    Parameters
    ----------
    n_logs, n_users, n_items, n_topics : int
        Sizes; every topic has as many items, give or take one.
    length, size : int
        Items of a history ``L`` and of a list ``S``; neither above `n_items`.
    repetition, threshold, warmth : float
        As said above; `repetition` and `warmth` at least 0.
    seed : int
        Same seed, same world. Users, items and lists do not depend on `repetition` and
        `threshold`.

    Not in a paper: no log tells what a list was worth.
    """
    for name in ("n_logs", "n_users", "n_topics", "length", "size"):
        positive(name, locals()[name])
    if positive("n_items", n_items) < max(length, size, n_topics) or size < 2:
        raise ValueError(
            f"n_items is {n_items}, length {length}, size {size} and n_topics "
            f"{n_topics}; expected at least as many items, and two in a list or more"
        )
    if not (0 <= repetition < math.inf and 0 <= warmth < math.inf):
        raise ValueError(
            f"repetition is {repetition} and warmth {warmth}; expected finite numbers "
            "of at least 0"
        )
    g = torch.Generator().manual_seed(seed)
    topic = torch.cat([torch.tensor([-1]), torch.arange(n_items) % n_topics])
    centre = torch.randn(n_topics, 12, generator=g)
    content = centre[topic[1:]] + 0.3 * torch.randn(n_items, 12, generator=g)
    content = torch.cat([torch.zeros(1, 12), content])
    taste = 1.5 * torch.randn(n_users, n_topics, generator=g)
    taste -= taste.mean(1, keepdim=True)
    worth = taste[:, topic[1:]]  # (U, I - 1)
    history = 1 + torch.multinomial(worth.softmax(1), length, generator=g)
    user = torch.randint(n_users, (n_logs,), generator=g)
    policy = (warmth * worth).softmax(1)
    items = 1 + torch.multinomial(policy[user], size, generator=g)
    luck = torch.rand(n_logs, 2, generator=g)
    world = ListWorld(
        topic, content, taste, history, user, items, torch.empty(0), repetition
    )
    odds = 4 * (world.utility(user, items) - threshold)
    labels = (luck < torch.stack([odds, odds - 1.5], 1).sigmoid()).float()
    return ListWorld(topic, content, taste, history, user, items, labels, repetition)

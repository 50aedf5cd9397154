"""Simulated users whose interests are known: planted in a history, and drifting."""

import math

import torch
from torch import Tensor

from recsys_tutorial.layers import positive


def planted_interests(
    n_rows: int,
    *,
    n_interests: int = 8,
    items_per_interest: int = 20,
    length: int = 20,
    per_user: int = 3,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Users with a few interests each, who click the more, the more they have of one.

    Items 1, 2, 3 ... belong to interests 0, 1, 2 ... in turn. A user has `per_user`
    interests with random shares (uniform on the simplex), and a history of random
    length whose items come from the interests by these shares. The candidate is half
    the time of one of the user's interests, half the time any item. Of the history,
    ``count`` items are of the candidate's interest, and the click has the log-odds
    ``(count - 6) / 2``: 0.05 for none, 0.5 for six, 0.95 for twelve.

    Parameters
    ----------
    n_rows : int
        Number ``N`` of users, with one candidate each.
    n_interests, items_per_interest : int
        Their product is the number of items.
    length : int
        Longest history ``L``; lengths are uniform from a quarter of it.
    per_user : int
        Interests of a user, at most `n_interests`.
    seed : int
        Draws the world.

    Returns
    -------
    dict
        ``history`` (N, L), padded with 0 at the end, and ``candidate`` (N,), int64;
        ``label`` (N,) float32; and the truth: ``relevant`` (N, L) bool, the steps of
        the candidate's interest, and ``probability`` (N,) of a click.

    Not in the paper: it has no simulation.
    """
    positive("n_rows", n_rows), positive("items_per_interest", items_per_interest)
    if positive("length", length) < 4:
        raise ValueError(f"length is {length}; expected at least 4")
    if positive("per_user", per_user) > positive("n_interests", n_interests):
        raise ValueError(f"per_user is {per_user}; expected at most {n_interests}")
    g = torch.Generator().manual_seed(seed)

    def item_of(interest: Tensor) -> Tensor:
        nth = torch.randint(items_per_interest, interest.shape, generator=g)
        return 1 + interest + n_interests * nth

    own = torch.rand(n_rows, n_interests, generator=g).argsort(1)[:, :per_user]
    shares = -torch.rand(n_rows, per_user, generator=g).clamp(min=1e-9).log()
    steps = torch.multinomial(shares, length, replacement=True, generator=g)  # (N, L)
    history = item_of(own.gather(1, steps))  # (N, L)
    ends = torch.randint(length // 4, length + 1, (n_rows, 1), generator=g)
    history *= torch.arange(length) < ends
    any_interest = torch.randint(n_interests, (n_rows,), generator=g)
    from_own = torch.rand(n_rows, generator=g) < 0.5
    candidate = item_of(torch.where(from_own, own[:, 0], any_interest))  # (N,)
    interest = (candidate - 1) % n_interests
    relevant = (history > 0) & ((history - 1) % n_interests == interest[:, None])
    probability = torch.sigmoid((relevant.sum(1) - 6) / 2)
    label = (torch.rand(n_rows, generator=g) < probability).float()
    return {
        "history": history,
        "candidate": candidate,
        "label": label,
        "relevant": relevant,
        "probability": probability,
    }


def drifting_interests(
    n_rows: int,
    *,
    length: int = 20,
    n_interests: int = 3,
    n_phases: int = 4,
    n_items: int = 5,
    stay: float = 0.5,
    drift: float = 0.25,
    strength: float = 2.0,
    seed: int = 0,
) -> dict[str, Tensor]:
    r"""Clicks of users who follow several interests, each of which drifts on its own.

    Each interest is in one of `n_phases` phases. In each step the user keeps to the
    interest of the step before with probability `stay`, else picks one of all at
    random; with probability `drift` this interest moves to another phase; then an item
    of the interest in its phase is clicked. The candidate is an item of the interest
    and phase of a step drawn at random. If this phase is still the interest's latest,
    the log-odds of a click are `strength`, else minus `strength`. How often something
    was clicked tells little, and what came last tells all. With one interest the last
    click decides; with more, the last one of the candidate's interest.

    Parameters
    ----------
    n_rows : int
        Number of rows ``N``, each a user.
    length : int
        Steps ``L`` of the history; there is no padding.
    n_interests, n_phases, n_items : int
        Interests, phases of each (at least 2), and items of each phase. Item ids
        start at 1, in this order: there are ``1 + n_interests * n_phases * n_items``.
    stay, drift : float
        Probabilities.
    strength : float
        At 0 clicks are a coin's.
    seed : int
        Draws the world. The draws do not depend on `stay`, `drift` and `strength`.

    Returns
    -------
    dict
        ``history`` (N, L) and ``candidate`` (N,), ids, int64; ``label`` and
        ``probability`` (N,) float32; ``interest`` (N, L) int64, from 0, ``phase``
        (N, L) int64, from 0, and ``drifted`` (N, L) bool, whether the step's interest
        has just moved; ``aim`` (N,) int64, the candidate's interest, and ``current``
        (N,) bool, whether its phase is the latest.

    Not in a paper.
    """
    positive("n_rows", n_rows), positive("length", length)
    positive("n_interests", n_interests), positive("n_items", n_items)
    if positive("n_phases", n_phases) < 2:
        raise ValueError("n_phases is 1; expected at least 2, else nothing can drift")
    for name, value in (("stay", stay), ("drift", drift)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; expected a probability")
    if not 0 <= strength < math.inf:
        raise ValueError(
            f"strength is {strength}; expected a finite number, at least 0"
        )
    g = torch.Generator().manual_seed(seed)
    shape, rows = (length, n_rows), torch.arange(n_rows)
    stays = torch.rand(shape, generator=g) < stay
    moves = torch.rand(shape, generator=g) < drift
    picked = torch.randint(n_interests, shape, generator=g)
    leap = torch.randint(1, n_phases, shape, generator=g)
    which = torch.randint(n_items, (length + 1, n_rows), generator=g)
    step = torch.randint(length, (n_rows,), generator=g)  # the candidate's
    luck = torch.rand(n_rows, generator=g)

    now = torch.randint(n_phases, (n_rows, n_interests), generator=g)
    interest, phase = torch.empty(shape).long(), torch.empty(shape).long()
    seen, drifted = torch.zeros_like(now, dtype=torch.bool), torch.empty(shape).bool()
    for t in range(length):
        interest[t] = (
            picked[t] if t == 0 else picked[t].where(~stays[t], interest[t - 1])
        )
        here = rows, interest[t]
        drifted[t] = moves[t] & seen[here]  # its first phase is no move
        now[here] = (now[here] + leap[t] * drifted[t]) % n_phases
        phase[t], seen[here] = now[here], True
    aim, aim_phase = interest[step, rows], phase[step, rows]
    current = now[rows, aim] == aim_phase
    probability = torch.sigmoid(strength * (2.0 * current - 1))
    kind = torch.cat([interest * n_phases + phase, (aim * n_phases + aim_phase)[None]])
    items = (1 + kind * n_items + which).T  # (N, L + 1)
    return {
        "history": items[:, :-1].contiguous(),
        "candidate": items[:, -1].contiguous(),
        "label": (luck < probability).float(),
        "probability": probability,
        "interest": interest.T.contiguous(),
        "phase": phase.T.contiguous(),
        "drifted": drifted.T.contiguous(),
        "aim": aim,
        "current": current,
    }

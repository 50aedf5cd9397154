"""SASRec, and the contrastive loss that CoSeRec and TiCoSeRec add to it.

Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018; Liu et al.,
"Contrastive Self-supervised Sequential Recommendation with Robust Augmentation", 2021;
Dang et al., "Uniform Sequence Better", AAAI 2023. Layers as in the released code of the
latter two, whose norms have an epsilon of 1e-12, though, and ours torch's 1e-5.
Dimension letters: ``B`` batch, ``L`` history length, ``D`` embedding, ``H`` heads,
``V`` views of a user, ``I`` items (padding included).
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_ids, happens, positive


class Inside(NamedTuple):
    """What `explain` returns."""

    states: Tensor  # (B, L, D), what is known after each step; 0 at padding
    attention: Tensor  # (B, H, L, L), of the last block: which step looks at which


class Block(nn.Module):
    """Self-attention, then two layers at each step; each is added to what it got.

    Parameters
    ----------
    dim, heads : int
        Width ``D`` and number ``H`` of attention heads.
    dropout : float
        Of what is added.
    """

    def __init__(self, dim, heads, dropout):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)
        self.steps = nn.Sequential(
            nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, visible):
        B, L, D = x.shape
        qkv = self.qkv(x).view(B, L, 3, self.heads, D // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # three of (B, H, L, D / H)
        logits = q @ k.transpose(2, 3) / math.sqrt(D // self.heads)  # (B, H, L, L)
        attention = logits.masked_fill(~visible, -torch.inf).softmax(3)
        mixed = (attention @ v).transpose(1, 2).reshape(B, L, D)
        x = self.norms[0](x + self.dropout(self.output(mixed)))
        return self.norms[1](x + self.dropout(self.steps(x))), attention


class SASRec(nn.Module):
    """Self-attention over what came before, trained on the next item at every step.

    A batch holds ``history`` ``(B, L)``, int64 ids of items, oldest first, with the
    padding **in front**: positions are counted from the end, so that the last one is
    always the newest. For `loss` also ``target`` ``(B, L)``, what came next at each
    step, 0 for none; and if `weight` is above 0 ``views`` ``(B, V, L)``, augmented
    histories of the same users. An id 0 between the items hides a step: nobody looks
    at it, and it is no view's business.

    Parameters
    ----------
    n_items : int
        Number ``I`` of ids, padding included.
    dim, length, heads, layers : int
        Width of an embedding, longest history, attention heads, blocks.
    dropout : float
        Of the embedded steps and inside the blocks.
    weight : float
        Share lambda of the contrastive loss; at 0 this is SASRec.
    temperature : float
        Of the contrastive loss.
    """

    def __init__(
        self,
        n_items,
        dim=32,
        length=50,
        heads=2,
        layers=1,
        dropout=0.2,
        weight=0.0,
        temperature=1.0,
    ):
        super().__init__()
        if positive("dim", dim) % positive("heads", heads):
            raise ValueError(f"dim is {dim}; expected a multiple of heads, {heads}")
        if not 0 <= weight < math.inf or not 0 < temperature < math.inf:
            raise ValueError(
                f"weight is {weight} and temperature {temperature}; expected a number "
                "of at least 0, and one above 0"
            )
        self.weight, self.temperature = weight, temperature
        self.items = nn.Embedding(positive("n_items", n_items), dim, padding_idx=0)
        self.positions = nn.Embedding(positive("length", length), dim)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        blocks = (Block(dim, heads, dropout) for _ in range(positive("layers", layers)))
        self.blocks = nn.ModuleList(blocks)
        for table in (self.items, self.positions):
            with torch.no_grad():
                table.weight.mul_(0.02)  # a normal distribution, as released

    def explain(self, batch):
        history = batch["history"]
        check_ids("history", history, 2, len(self.items.weight))
        L, most = history.shape[1], len(self.positions.weight)
        if most < L:
            raise ValueError(f"history has {L} steps; this model takes {most} at most")
        real = history > 0  # (B, L)
        x = self.items(history) + self.positions.weight[most - L :]  # (B, L, D)
        x = self.dropout(self.norm(x))
        before = real.new_ones(L, L).tril()
        visible = before & real[:, None]  # (B, L, L)
        visible = visible | (before & before.T)  # itself: a softmax needs one entry
        for block in self.blocks:
            x, attention = block(x, visible[:, None])
        return Inside(x * real[:, :, None], attention)

    def forward(self, batch):
        """Scores of all items after the last step: ``(B, I)``, never of the padding."""
        states = self.explain(batch).states
        if happens(batch["history"][:, -1] == 0):
            raise ValueError("history ends with padding; expected padding in front")
        scores = states[:, -1] @ self.items.weight[1:].T
        return F.pad(scores, (1, 0), value=-torch.inf)

    def loss(self, batch):
        loss = self.next_item_loss(batch)
        if self.weight and len(batch["history"]) > 1:  # one user has no contrast
            B, V, L = batch["views"].shape
            if V < 2:
                raise ValueError(f"views has {V} view(s) of a user; expected two")
            draw = torch.rand(B, V, device=batch["views"].device)
            pair = draw.argsort(1)[:, :2]  # two different ones of each user
            views = batch["views"].gather(1, pair.unsqueeze(2).expand(-1, -1, L))
            views = views.transpose(0, 1).flatten(0, 1)  # (2B, L)
            flat = self.explain({"history": views}).states.flatten(1)  # (2B, L * D)
            contrast = contrastive_loss(*flat.chunk(2), self.temperature)
            loss = loss + self.weight * contrast
        return loss

    def next_item_loss(self, batch):
        """Cross-entropy of the next item against one drawn, which is not of the user.

        A drawn item that stands in the user's row is left out.
        """
        target, states = batch["target"], self.explain(batch).states
        check_ids("target", target, 2, len(self.items.weight))
        if target.shape != states.shape[:2] or not (target > 0).any():
            raise ValueError(
                f"target has shape {tuple(target.shape)}; expected that of history, "
                f"{tuple(states.shape[:2])}, and an item somewhere"
            )
        drawn = torch.randint_like(target, 1, len(self.items.weight))
        own = torch.cat([batch["history"][:, :1], target], 1)  # (B, L + 1)
        fair = (drawn[:, :, None] != own[:, None]).all(2) & (target > 0)
        up = (states * self.items(target)).sum(2)[target > 0]
        down = (states * self.items(drawn)).sum(2)[fair]
        return (F.softplus(-up).sum() + F.softplus(down).sum()) / len(up)


def contrastive_loss(first: Tensor, second: Tensor, temperature=1.0) -> Tensor:
    """InfoNCE: find the other view of the same user among all views of the batch.

    Parameters
    ----------
    first, second : Tensor
        ``(B, S)``, the two views of each user, as vectors; at least two users. Eq. (12)
        by the count of CoSeRec's released code: inner products, no projection.
    temperature : float
        What the inner products are divided by.
    """
    if first.shape != second.shape or first.ndim != 2 or len(first) < 2:
        raise ValueError(
            f"first has shape {tuple(first.shape)} and second {tuple(second.shape)}; "
            "expected the same (B, S), two users or more"
        )
    both = torch.cat([first, second])  # (2B, S)
    logits = both @ both.T / temperature
    logits.fill_diagonal_(-torch.inf)  # a view is not its own negative
    B = len(first)
    return F.cross_entropy(logits, torch.arange(2 * B, device=both.device).roll(B))

"""What was tried to make DIN, DIEN, STAMP and SASRec quicker, and what came of it.

``python -m benchmarks.attempts [--model din] [--rounds 7]``, with the packages of
``benchmarks/requirements.txt``, whose races it takes the data and sizes from. Each
attempt is a small change of the book's model; it takes turns with the model as it is.
None of them is in the book: what they gain is too little for what they cost a reader,
or changes the arithmetic, or, like a model without dropout, only says what is left to
gain.

Saved columns: ``model``, ``attempt``, ``milliseconds`` of a training step, how many
``times`` faster than the model as it is (median over the rounds), and ``repeats``.
"""

import argparse
import time
import warnings
from pathlib import Path
from statistics import median

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import next_item_throughput, sequence_throughput
from benchmarks.race import BOOK
from benchmarks.store import save
from recsys_tutorial.data.tensors import take
from recsys_tutorial.models.dien import DIEN, Evolution
from recsys_tutorial.models.din import DIN, ActivationUnit
from recsys_tutorial.models.sasrec import Block
from recsys_tutorial.models.stamp import STAMP, Inside
from recsys_tutorial.train import fit

STEPS = {"din": 20, "dien": 8, "stamp": 30, "sasrec": 7}  # of a measurement


def low_precision(cls):
    """The model with its products in bfloat16."""

    class Low(cls):
        def loss(self, batch):
            with torch.autocast("cpu", torch.bfloat16):
                return super().loss(batch)

    return Low


class FoldedPReLU(ActivationUnit):
    """PReLU(s) @ w as relu(s) @ (w - a w) + s @ (a w): a product gives a's gradient."""

    def forward(self, history, candidate, mask):
        q, k, difference, product = self.hidden.weight.chunk(4, 1)
        row = F.linear(candidate, q + difference, self.hidden.bias)
        step = torch.addcmul((k - difference).T, candidate.unsqueeze(2), product.T)
        s = torch.baddbmm(row.unsqueeze(1), history, step)
        w, slope = self.output.weight[0], self.activation.alpha
        return s.relu() @ (w * (1 - slope)) + s @ (w * slope) + self.output.bias


class ClampedPReLU(nn.Module):
    """PReLU as two clamps and a product."""

    def __init__(self, alpha):
        super().__init__()
        self.alpha = alpha

    def forward(self, s, mask=None):
        return s.clamp(min=0) + self.alpha * s.clamp(max=0)


class CutBatches(DIEN):
    """Each batch ends where its longest history ends."""

    def loss(self, batch):
        longest = int((batch["history"] > 0).sum(1).max())
        names = "history", "negative"
        return super().loss(batch | {name: batch[name][:, :longest] for name in names})


class ScriptedEvolution(Evolution):
    """The loop over the steps compiled by TorchScript."""

    def forward(self, states, weights, mask):
        path, shares = self.loop(
            self.input(states).transpose(0, 1),
            weights.T.unsqueeze(2),
            self.state.weight.T,
            states.shape[2],
        )
        return path.transpose(0, 1), shares.transpose(0, 1)

    def loop(self, *parts):
        return torch.jit.script(evolve)(*parts)


class PlainEvolution(ScriptedEvolution):
    """The formulas as they stand, one after another, without the fused operators."""

    def loop(self, *parts):
        return evolve(*parts)


def evolve(x: torch.Tensor, weights: torch.Tensor, state: torch.Tensor, width: int):
    h = torch.zeros(x.shape[1], width)
    path, shares = [], []
    for t in range(x.shape[0]):
        from_h = h @ state
        gates = (x[t, :, : 2 * width] + from_h[:, : 2 * width]).sigmoid()
        new = (x[t, :, 2 * width :] + gates[:, :width] * from_h[:, 2 * width :]).tanh()
        share = weights[t] * gates[:, width:]
        h = (1 - share) * h + share * new
        path.append(h)
        shares.append(share)
    return torch.stack(path), torch.stack(shares)


class GatheredClick(STAMP):
    """The last click taken from the history's embeddings: one look-up less."""

    def explain(self, batch):
        history = batch["history"]
        mask = history > 0
        end = (mask * torch.arange(1, mask.shape[1] + 1)).argmax(1)
        clicks = self.items(history)
        last, mean = clicks[torch.arange(len(end)), end], clicks.sum(1)
        mean = mean / mask.sum(1, keepdim=True)
        weights = self.weights(history, mask, mean, last)
        session = (weights.unsqueeze(1) @ clicks).squeeze(1)
        general, current = self.general(session).tanh(), self.current(last).tanh()
        return Inside(weights, general, current)


class WholeTable(STAMP):
    """Scores of all rows of the table; the padding's is masked, not cut off."""

    def forward(self, batch):
        _, general, current = self.explain(batch)
        scores = (general * current) @ self.items.weight.T
        return scores.index_fill(1, torch.tensor([0]), -torch.inf)


class FusedAttention(Block):
    """torch's one operator for the attention; its weights cannot be looked at."""

    def forward(self, x, visible):
        B, L, D = x.shape
        qkv = self.qkv(x).view(B, L, 3, self.heads, D // self.heads)
        mixed = F.scaled_dot_product_attention(
            *qkv.permute(2, 0, 3, 1, 4), attn_mask=visible
        )
        mixed = mixed.transpose(1, 2).reshape(B, L, D)
        x = self.norms[0](x + self.dropout(self.output(mixed)))
        return self.norms[1](x + self.dropout(self.steps(x))), None


class FloatDropout(nn.Module):
    """Dropout from uniform numbers, which are drawn faster than torch's own bits."""

    def forward(self, x):
        if not self.training:
            return x
        rate = next_item_throughput.DROPOUT
        return x * (torch.rand_like(x) >= rate) / (1 - rate)


def attempts(model: str, build) -> dict:
    """Builders of the model as it is, and of each attempt."""

    def of_class(cls, part=None):
        def changed():
            made = build()
            for piece in [made] if part is None else part(made):
                piece.__class__ = cls
            return made

        return changed

    def clamped():
        made = build()
        made.unit.activation = ClampedPReLU(made.unit.activation.alpha)
        return made

    def dropping(make):
        def changed():
            made = build()
            made.dropout = make()
            for block in made.blocks:
                block.dropout = make()
            return made

        return changed

    def evolution(made):
        return [made.evolution]

    tried = {
        "din": {
            "PReLU folded into the output": of_class(FoldedPReLU, lambda m: [m.unit]),
            "PReLU as two clamps": clamped,
            "products in bfloat16": of_class(low_precision(DIN)),
        },
        "dien": {
            "batches cut at the longest": of_class(CutBatches),
            "loop in TorchScript": of_class(ScriptedEvolution, evolution),
            "without fused operators": of_class(PlainEvolution, evolution),
        },
        "stamp": {
            "last click gathered": of_class(GatheredClick),
            "padding masked, not cut": of_class(WholeTable),
            "products in bfloat16": of_class(low_precision(STAMP)),
        },
        "sasrec": {
            "fused attention": of_class(FusedAttention, lambda m: m.blocks),
            "dropout from floats": dropping(FloatDropout),
            "no dropout at all": dropping(nn.Identity),
        },
    }
    return {"as it is": build} | tried[model]


def measure(builders: dict, rows: dict, batch: int, steps: int, rounds: int):
    """Milliseconds per step, all in turns: a row per attempt."""
    rows = take(rows, slice(steps * batch))
    count = -(-len(next(iter(rows.values()))) // batch)
    settings = {"epochs": 1, "batch_size": batch, "progress": False}
    models, taken = {}, {name: [] for name in builders}
    for name, build in builders.items():
        torch.manual_seed(0)
        models[name] = build()
        fit(models[name], rows, **settings)  # to warm up
    for _ in range(rounds):
        for name, model in models.items():
            start = time.perf_counter()
            fit(model, rows, **settings)
            taken[name].append(1000 * (time.perf_counter() - start) / count)
    first = taken[next(iter(taken))]
    return pd.DataFrame(
        {
            "attempt": name,
            "milliseconds": median(times),
            "times": median(a / b for a, b in zip(first, times, strict=True)),
            "repeats": rounds,
        }
        for name, times in taken.items()
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", metavar="FOLDER", help="keep attempts.csv there")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")  # of the libraries, and of TorchScript's age
    torch.set_num_threads(options.threads)
    for model in options.model:
        of = sequence_throughput if model in ("din", "dien") else next_item_throughput
        contest = getattr(of, model)()
        builders = attempts(model, contest.book[BOOK])
        shared = contest.parts[0], contest.batch, STEPS[model], options.rounds
        table = measure(builders, *shared)
        table.insert(0, "model", model)
        print(table.round(2).to_string(index=False))
        if options.save:
            save(Path(options.save) / "attempts.csv", table, "model")


if __name__ == "__main__":
    main()

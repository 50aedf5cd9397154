"""What a long history costs at serving time, and what it is worth: eight models.

``python -m benchmarks.history_length [--rounds 7] [--measure time auc]`` measures, for
histories of 64 to 16,384 steps, the time of one request (one user, 100 candidates, one
thread), what has to be kept of a user between requests, and the AUC in the world of
recurring interests; it writes the table that `recsys_tutorial.yardstick` reads. With
``--models`` the AUC is measured for these alone; all else stays as it is stored.

All models are trained by one rule. On histories of 64 steps with each learning rate,
until the validation AUC has not risen for eight epochs, or thirty are over; then on
longer ones, from the weights that the shorter ones gave and at the rate that was best,
until it has not risen for three. So a model that needs long to begin gets its time.

A request is answered as a server would, not by ``model(batch)``, which repeats the user
for each candidate: item embeddings, their projections and hash codes are tables made
beforehand; DIEN reads the history once for all candidates; SIM's hard search looks into
an index topic -> steps; ETA's codes are 64-bit words, compared by XOR and popcount;
TWIN looks keys up that were made per item; SDIM has added the steps up by signature;
MIMN reads the memory that it has written event by event. Before anything is timed,
each answer is compared with that of ``model(batch)``.
"""

import argparse
import copy
import math
import platform
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time

import pandas as pd
import torch
import torch.nn.functional as F

from recsys_tutorial import yardstick
from recsys_tutorial.data.lifelong import cut_recent, recurring_interests, topic_table
from recsys_tutorial.data.tensors import minibatches
from recsys_tutorial.metrics import auc, mean_interval
from recsys_tutorial.models.dien import DIEN
from recsys_tutorial.models.din import DIN, ItemEmbedding
from recsys_tutorial.models.eta import HashSearch
from recsys_tutorial.models.mimn import MIMN
from recsys_tutorial.models.sdim import SDIM
from recsys_tutorial.models.sim import SIM, HardSearch, SoftSearch, top_k
from recsys_tutorial.models.twin import TWIN
from recsys_tutorial.train import fit, parallel

KEYS, COSTS = ["model", "length"], ["milliseconds", "bytes"]
LENGTHS = [64, 256, 1024, 4096, 16_384]
WORLD = {"n_topics": 8, "n_items": 3}  # a small world, quickly learnt
TOPICS = topic_table(**WORLD)  # (I, topics)
DIM, RECENT, K, BITS, CANDIDATES = 8, 16, 16, 64, 100
BATCH, RATES, SEEDS = 128, (0.005, 0.01, 0.02), (0, 1, 2)
FIRST, LATER = (30, 8), (10, 3)  # most epochs, and how many without a rise end it
ROWS = {"train": 8000, "validation": 1000, "test": 3000}
PARTS = dict(
    zip(ROWS, torch.arange(sum(ROWS.values())).split(list(ROWS.values())), strict=True)
)
LONGEST = {"DIEN": 256, "MIMN": 256}  # to train on; step by step takes its time


def build(name, length):
    items = ItemEmbedding(len(TOPICS), DIM, TOPICS)
    D = items.out_features
    if name == "DIN":
        return DIN(items, attention_units=16, scale=1 / RECENT)
    if name == "DIEN":
        return DIEN(items, alpha=0.0)
    if name == "MIMN":
        return MIMN(items)
    if name == "TWIN":
        return TWIN(items, k=K)
    if name == "SDIM":
        return SDIM(items)
    search = {
        "SIM hard": lambda: HardSearch(TOPICS),
        "SIM soft": lambda: SoftSearch(D, scale=1 / length),
        "ETA": lambda: HashSearch(D, BITS),
    }[name]
    return SIM(items, search(), k=K, scale=1 / RECENT)


def batch_of(name, long):
    """The batch of a model from whole histories: some want them in two parts."""
    if name in ("DIN", "DIEN", "MIMN"):
        return {"history": long}
    return cut_recent({"long": long}, RECENT)


# --- serving: what is kept of a user, and how a request is answered


class Server:
    """One model, ready to answer; `keep` is done between requests, `answer` in them.

    `keep` gives the tensors that are kept of a user; `answer` the logits ``(C,)`` of
    the candidates.
    """

    def __init__(self, name, model):
        self.name, self.model, self.table = name, model.eval(), model.items()
        if name == "SIM soft":
            self.steps = self.table @ model.search.step.weight.T  # W_b e
            self.targets = self.table @ model.search.target.weight.T  # W_a e
        if name == "ETA":
            self.codes = model.search.codes(self.table)  # (I, W)
        if name == "TWIN":
            self.keys = model.attention.keys(self.table)  # K W^h, (I, D)
        if name == "SDIM":
            self.signatures = model.hash.signatures(self.table)  # (I, R)
        self.topic = TOPICS.argmax(1)

    def keep(self, ids):
        if self.name == "MIMN":
            return self.model.remember(ids[None])
        if self.name == "SIM hard":
            topic = self.topic[ids[:-RECENT]]
            order = topic.argsort(stable=True)  # steps by topic, oldest first
            ends = torch.bincount(topic, minlength=TOPICS.shape[1]).cumsum(0)
            return ids, order, ends
        if self.name == "SDIM":
            return ids[-RECENT:], self._buckets(ids[:-RECENT])
        return (ids,)

    def answer(self, kept, candidate):
        e = self.table[candidate]  # (C, D)
        if self.name == "MIMN":
            return self.model.read(kept, candidate)
        ids = kept[0]
        if self.name == "DIN":
            return self._din(ids, e)
        if self.name == "DIEN":
            return self._dien(ids, e)
        if self.name in ("TWIN", "SDIM"):
            recent = self.table[ids[-RECENT:]].expand(len(e), -1, -1)  # (C, S, D)
            real = torch.ones(recent.shape[:2], dtype=torch.bool)
            lasting = (
                self._twin(ids, e)
                if self.name == "TWIN"
                else (self._sdim(kept[1], candidate))
            )
            _, user = self.model.short(recent, e, real)
            return self.model.head(torch.cat([lasting, user, e], 1)).squeeze(1)
        long = ids[:-RECENT]
        found, real = getattr(self, self.name.replace(" ", "_").lower())(
            long, candidate, kept
        )
        steps = self.table[long[found]]  # (C, K, D)
        _, lasting = self.model.exact(steps, e, real)
        recent = self.table[ids[-RECENT:]].expand(len(e), -1, -1)  # (C, S, D)
        w = self.model.unit(recent, e, None) * self.model.scale
        user = (w.unsqueeze(1) @ recent).squeeze(1)
        return self.model.head(torch.cat([lasting, user, e], 1)).squeeze(1)

    def _din(self, ids, e):
        history = self.table[ids].expand(len(e), -1, -1)  # (C, L, D)
        w = self.model.unit(history, e, None) * self.model.scale
        user = (w.unsqueeze(1) @ history).squeeze(1)
        return self.model.head(torch.cat([user, e], 1)).squeeze(1)

    def _dien(self, ids, e):
        states, _ = self.model.extraction(self.table[ids][None])  # once for all
        states = states.expand(len(e), -1, -1)  # (C, L, D)
        mask = torch.ones(states.shape[:2], dtype=torch.bool)
        weights = self.model.attention(states, e, mask)
        path, _ = self.model.evolution(states, weights, mask)
        return self.model.head(torch.cat([path[:, -1], e], 1)).squeeze(1)

    def _twin(self, ids, e):
        long, attention = ids[:-RECENT], self.model.attention
        H = attention.heads
        q = attention.query(e).unflatten(1, (H, -1))  # (C, H, d)
        keys = self.keys[long].unflatten(1, (H, -1))  # (L, H, d), looked up
        alpha = torch.einsum("chd,lhd->chl", q, keys) / math.sqrt(q.shape[2])
        best = alpha.topk(min(K, len(long)), dim=2).indices  # (C, H, K)
        named = best.transpose(1, 2).flatten(1)  # (C, K H), in turn
        again = (named.unsqueeze(2) == named.unsqueeze(1)).tril(-1).any(2)
        turn = torch.arange(named.shape[1]) + again * named.shape[1]
        first = turn.topk(best.shape[2], largest=False).indices
        found = named.gather(1, first)  # (C, K), different ones
        alpha = alpha.gather(2, found.unsqueeze(1).expand(-1, H, -1))
        real = torch.ones_like(found, dtype=torch.bool)
        return attention(alpha, self.table[long[found]], None, real)[1]

    def _buckets(self, long):
        """The sum of the steps under each signature, ``(R, 2 ** tau, D)``."""
        own, steps = self.signatures[long], self.table[long]  # (L, R), (L, D)
        R, n = own.shape[1], 2 ** len(self.model.hash.powers)
        sums = steps.new_zeros(R, n, steps.shape[1])
        for r in range(R):
            sums[r].index_add_(0, own[:, r], steps)
        return sums

    def _sdim(self, buckets, candidate):
        asked = self.signatures[candidate]  # (C, R)
        sums = buckets[torch.arange(len(buckets)), asked]  # (C, R, D)
        return F.normalize(sums, dim=2, eps=1e-6).mean(1)

    def sim_hard(self, long, candidate, kept):
        _, order, ends = kept
        topic = self.topic[candidate]
        end = ends[topic][:, None]  # (C, 1)
        start = torch.cat([ends.new_zeros(1), ends])[topic][:, None]
        place = end - 1 - torch.arange(min(K, len(long)))  # (C, K), the latest first
        return order[place.clamp(min=0)], place >= start

    def sim_soft(self, long, candidate, kept):
        scores = self.targets[candidate] @ self.steps[long].T  # (C, L)
        return top_k(scores, torch.ones_like(scores, dtype=torch.bool), K)

    def eta(self, long, candidate, kept):
        steps = self.codes[long].unsqueeze(0)  # (1, L, W), the same for all
        scores = self.model.search.compare(steps, self.codes[candidate])  # (C, L)
        return top_k(scores, torch.ones_like(scores, dtype=torch.bool), K)


@torch.no_grad()
def check(server, ids):
    """The quick answer is that of the model as the book shows it."""
    candidate = 1 + torch.arange(CANDIDATES) % (len(TOPICS) - 1)
    long = ids.expand(CANDIDATES, -1)
    slow = server.model(batch_of(server.name, long) | {"candidate": candidate})
    quick = server.answer(server.keep(ids), candidate)
    torch.testing.assert_close(quick, slow, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def serve(rounds):
    """Milliseconds per request and per event, and bytes per user."""
    torch.manual_seed(0)
    servers = [Server(name, build(name, 1024)) for name in yardstick.MODELS]
    g = torch.Generator().manual_seed(0)
    candidate = torch.randint(1, len(TOPICS), (CANDIDATES,), generator=g)
    rows = []
    for length in LENGTHS:
        ids = torch.randint(1, len(TOPICS), (length,), generator=g)
        kept = {}
        for server in servers:
            kept[server.name] = server.keep(ids)
            if length <= 256:
                check(server, ids)
        seconds = {server.name: [] for server in servers}
        for _ in range(rounds):  # in turns
            for server in servers:
                start, times = process_time(), 0
                while times < 1 or process_time() - start < 0.2:
                    server.answer(kept[server.name], candidate)
                    times += 1
                seconds[server.name].append((process_time() - start) / times)
        for server in servers:
            one = 1000 * median(seconds[server.name])
            size = sum(x.numel() * x.element_size() for x in kept[server.name])
            rows.append((server.name, length, one, size))
            print(f"{length:6} {server.name:9} {one:10.3f} ms {size:8,} bytes")
    table = pd.DataFrame(rows, columns=KEYS + COSTS)
    mimn = next(s for s in servers if s.name == "MIMN")
    memory, event = mimn.keep(1 + torch.arange(64) % 48), torch.tensor([7])
    start = process_time()
    for _ in range(200):
        mimn.model.write(memory, event)
    print(f"MIMN: {1000 * (process_time() - start) / 200:.2f} ms per event")
    return table


# --- worth: the AUC, as the history that a model is given grows


def predict(name, model, long, candidate):
    data = batch_of(name, long) | {"candidate": candidate}
    return torch.cat([model(batch) for batch in minibatches(data, 200)])


class Enough(Exception):
    """The AUC on validation rows rises no more."""


def train(name, length, lr, seed, start=None):
    """One stage: AUC of the best epoch on validation and test, and its weights."""
    world = the_world(seed)
    torch.manual_seed(seed)
    model = build(name, length)
    if start is not None:
        model.load_state_dict(start)
    most, patience = FIRST if start is None else LATER
    best, epochs = {"validation": 0.0, "epoch": 0}, iter(range(1, most + 1))

    def evaluate(model):
        epoch = next(epochs)
        value = area(name, model, world, "validation", length)
        if value > best["validation"]:
            weights = copy.deepcopy(model.state_dict())
            best.update(validation=value, epoch=epoch, weights=weights)
        if epoch - best["epoch"] >= patience:
            raise Enough
        return {"validation": value}

    rows = PARTS["train"]
    data = batch_of(name, world["long"][rows, -length:])
    data |= {name: world[name][rows] for name in ("candidate", "label")}
    with suppress(Enough):
        fit(
            model, data, epochs=most, batch_size=BATCH, lr=lr, seed=seed,
            evaluate=evaluate, progress=False,
        )  # fmt: skip
    model.load_state_dict(best["weights"])
    best["test"] = area(name, model.eval(), world, "test", length)
    print(
        f"{name:9} {length:5} lr {lr:g} seed {seed}: epoch {best['epoch']}, "
        f"validation {best['validation']:.3f}, test {best['test']:.3f}",
        flush=True,
    )
    return best


def further(name, lr, seed, first):
    """All lengths of one seed, from what the shortest gave: test AUC of each."""
    best, found = first, {LENGTHS[0]: first["test"]}
    for length in LENGTHS[1:]:
        if length <= longest(name):
            best = train(name, length, lr, seed, best["weights"])
            found[length] = best["test"]
    model = build(name, longest(name))
    model.load_state_dict(best["weights"])
    return found | longer(name, model.eval(), longest(name), seed)


def the_world(seed):
    return recurring_interests(
        sum(ROWS.values()), length=1025, n_rare=4, seed=seed, **WORLD
    )


@torch.no_grad()
def area(name, model, world, part, length):
    """AUC on one part of the rows."""
    rows = PARTS[part]
    p = predict(name, model, world["long"][rows, -length:], world["candidate"][rows])
    return auc(world["label"][rows], p)


@torch.no_grad()
def longer(name, model, length, seed):
    """Users whose histories are longer than all the model was trained on."""
    found = {}
    for more in [n for n in LENGTHS if n > length]:
        whole = -(-more // 5) * 5  # visits are of 5 steps
        world = recurring_interests(
            1000, length=whole, n_rare=4, seed=1000 + seed, **WORLD
        )
        p = predict(name, model, world["long"][:, -more:], world["candidate"])
        found[more] = auc(world["label"], p)
    return found


def longest(name):
    return LONGEST.get(name, 1024)


def worth(names):
    """AUC by model and length: mean and 95 % interval over seeds and their worlds."""
    calls = [(n, LENGTHS[0], lr, seed) for n in names for lr in RATES for seed in SEEDS]
    first = dict(zip(calls, run(train, calls), strict=True))
    rates = {
        name: max(
            RATES,
            key=lambda lr, name=name: sum(
                first[name, LENGTHS[0], lr, seed]["validation"] for seed in SEEDS
            ),
        )
        for name in names
    }
    print("rates chosen on validation:", rates)
    calls = [
        (name, rates[name], seed, first[name, LENGTHS[0], rates[name], seed])
        for name in names
        for seed in SEEDS
    ]
    found = {}
    for (name, *_), result in zip(calls, run(further, calls), strict=True):
        for tested, value in result.items():
            found.setdefault((name, tested), []).append(value)
    rows = []
    for (name, tested), values in found.items():
        over = mean_interval(values, varied=("seeds", "worlds"), bounds=(0, 1))
        rows.append((name, tested, min(tested, longest(name)), *over[:3]))
    columns = [*KEYS, "trained_on", "auc", "auc_low", "auc_high"]
    return pd.DataFrame(rows, columns=columns)


def run(work, calls):
    return parallel([partial(work, *call) for call in calls])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--measure", nargs="+", choices=["time", "auc"], default=["time", "auc"]
    )
    parser.add_argument(
        "--models", nargs="+", choices=yardstick.MODELS, default=yardstick.MODELS
    )
    parser.add_argument("--output", type=Path, default=yardstick.PATH)
    options = parser.parse_args()
    torch.set_num_threads(1)
    both, old = options.measure, None
    if len(both) < 2 or len(options.models) < len(yardstick.MODELS):
        old = yardstick.load_yardstick(options.output)  # the rest stays as it is stored
    table = serve(options.rounds) if "time" in both else old[KEYS + COSTS]
    gained = worth(options.models) if "auc" in both else old.drop(columns=COSTS)
    if old is not None:
        kept = old[~old["model"].isin(gained["model"])]
        gained = pd.concat([gained, kept.drop(columns=COSTS)])
    table = table.merge(gained, how="left", on=KEYS)
    told = (
        f"{date.today()}, {platform.machine()}, one thread, torch "
        f"{torch.__version__.split('+')[0]}, Python {platform.python_version()}"
    )
    if old is not None:
        new = ", ".join(both + options.models)
        told = f"{old.attrs['run']}; {new}: {told}"
    with options.output.open("w") as file:
        file.write(f"# {told}\n")
        table.round(5).to_csv(file, index=False)
    print(table.round(4).to_string())


if __name__ == "__main__":
    main()

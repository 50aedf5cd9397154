"""What a long history costs at serving time, and what it is worth: six models.

``python -m benchmarks.history_length [--rounds 7] [--measure time auc]`` measures, for
histories of 64 to 16,384 steps, the time of one request (one user, 100 candidates, one
thread), what has to be kept of a user between requests, and the AUC in the world of
recurring interests; it writes the table that `recsys_tutorial.yardstick` reads. With
``--models`` the AUC is measured for these alone; all else stays as it is stored.

A request is answered as a server would, not by ``model(batch)``, which repeats the user
for each candidate: item embeddings, their projections and hash codes are tables made
beforehand; DIEN reads the history once for all candidates; SIM's hard search looks into
an index topic -> steps; ETA's codes are 64-bit words, compared by XOR and popcount;
MIMN reads the memory that it has written event by event. Before anything is timed,
each answer is compared with that of ``model(batch)``.
"""

import argparse
import copy
import platform
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time

import pandas as pd
import torch

from recsys_tutorial import yardstick
from recsys_tutorial.data.lifelong import cut_recent, recurring_interests, topic_table
from recsys_tutorial.data.tensors import minibatches
from recsys_tutorial.metrics import auc, mean_interval
from recsys_tutorial.models.dien import DIEN
from recsys_tutorial.models.din import DIN, ItemEmbedding
from recsys_tutorial.models.eta import HashSearch
from recsys_tutorial.models.mimn import MIMN
from recsys_tutorial.models.sim import SIM, HardSearch, SoftSearch, top_k
from recsys_tutorial.train import fit, parallel

KEYS, COSTS = ["model", "length"], ["milliseconds", "bytes"]
LENGTHS = [64, 256, 1024, 4096, 16_384]
WORLD = {"n_topics": 8, "n_items": 3}  # a small world, quickly learnt
TOPICS = topic_table(**WORLD)  # (I, topics)
DIM, RECENT, K, BITS, CANDIDATES = 8, 16, 16, 64, 100
BATCH, EPOCHS, RATES, SEEDS = 128, 6, (0.01, 0.02), (0, 1, 2)
ROWS = {"train": 8000, "validation": 1000, "test": 3000}
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
    search = {
        "SIM hard": lambda: HardSearch(TOPICS),
        "SIM soft": lambda: SoftSearch(D, scale=1 / length),
        "ETA": lambda: HashSearch(D, BITS),
    }[name]
    return SIM(items, search(), k=K, scale=1 / RECENT)


def batch_of(name, long):
    """The batch of a model from whole histories: SIM and ETA want them in two parts."""
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
        self.topic = TOPICS.argmax(1)

    def keep(self, ids):
        if self.name == "MIMN":
            return self.model.remember(ids[None])
        if self.name == "SIM hard":
            topic = self.topic[ids[:-RECENT]]
            order = topic.argsort(stable=True)  # steps by topic, oldest first
            ends = torch.bincount(topic, minlength=TOPICS.shape[1]).cumsum(0)
            return ids, order, ends
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


def train(name, length, lr, seed):
    """AUC of the best epoch by validation: on validation, on test, on longer pasts."""
    total = sum(ROWS.values())
    world = recurring_interests(total, length=1025, n_rare=4, seed=seed, **WORLD)
    long, candidate, label = world["long"], world["candidate"], world["label"]
    parts = dict(zip(ROWS, torch.arange(total).split(list(ROWS.values())), strict=True))
    torch.manual_seed(seed)
    model = build(name, length)
    best = {"validation": 0.0}

    def evaluate(model):
        found = {}
        for part in ("validation", "test"):
            rows = parts[part]
            p = predict(name, model, long[rows, -length:], candidate[rows])
            found[part] = auc(label[rows], p)
        if found["validation"] > best["validation"]:
            best.update(found, weights=copy.deepcopy(model.state_dict()))
        return found

    rows = parts["train"]
    data = batch_of(name, long[rows, -length:]) | {"candidate": candidate[rows]}
    data["label"] = label[rows]
    fit(
        model, data, epochs=EPOCHS, batch_size=BATCH, lr=lr, seed=seed,
        evaluate=evaluate, progress=False,
    )  # fmt: skip
    model.load_state_dict(best["weights"])
    return {"validation": best["validation"], length: best["test"]} | (
        longer(name, model, length, seed) if length == longest(name) else {}
    )


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
    calls = [(n, 64, lr, SEEDS[0]) for n in names for lr in RATES]
    rates = {}
    for (name, _, lr, _), found in zip(calls, run(calls), strict=True):
        rates.setdefault(name, []).append((found["validation"], lr))
    rates = {name: max(tried)[1] for name, tried in rates.items()}
    print("rates chosen on validation:", rates)
    lengths = [n for n in LENGTHS if n <= 1024]
    calls = [
        (name, length, rates[name], seed)
        for length in lengths
        for name in names
        for seed in SEEDS
        if length <= longest(name)
    ]
    found = {}
    for (name, length, _, _), result in zip(calls, run(calls), strict=True):
        result.pop("validation")
        print(name, length, {k: round(v, 4) for k, v in result.items()}, flush=True)
        for tested, value in result.items():
            found.setdefault((name, tested), []).append(value)
    rows = []
    for (name, tested), values in found.items():
        over = mean_interval(values, varied=("seeds", "worlds"), bounds=(0, 1))
        rows.append((name, tested, min(tested, longest(name)), *over[:3]))
    columns = [*KEYS, "trained_on", "auc", "auc_low", "auc_high"]
    return pd.DataFrame(rows, columns=columns)


def run(calls):
    return parallel([partial(train, *call) for call in calls])


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

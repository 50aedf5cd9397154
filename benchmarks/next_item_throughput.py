"""STAMP and SASRec on MovieLens-100K: rows per second in training, and hit rates.

``python -m benchmarks.next_item_throughput [--model sasrec] [--rounds 5]`` with the
packages of ``benchmarks/requirements.txt`` installed. The other contestant is
torch-rechub; DeepCTR-Torch has neither model. All train on the same rows in the same
batches, with Adam; the sizes stand below.

STAMP: each event of a sitting after the films before it, at most 30; cross-entropy over
all films; HIT@20 on the latest fifth of the events. Shapes and parameters are equal.
torch-rechub's attention is a softmax, which the paper's is not, and its tanh comes
before a linear layer, not behind it.

SASRec: a row is a user's last 50 training films, each with the next one as target;
HIT@10 of the user's last film among all but the seen ones. The padding is in front for
the book and behind for torch-rechub, as each of them wants it. The book's block is that
of the TiCoSeRec code, whose inner layer is twice as wide as torch-rechub's: it has more
parameters. The book draws a new negative for each target in each epoch, and takes the
binary cross-entropy of real steps; torch-rechub is given negatives drawn beforehand,
and takes its BPR loss over all steps, padded ones included, here of the scores laid
end to end, as the loss takes no table.
"""

import torch

from benchmarks.peers import columns, rechub
from benchmarks.race import BOOK, Contest, main
from recsys_tutorial.data import load_movielens
from recsys_tutorial.data.leave_one_out import leave_one_out
from recsys_tutorial.data.sequences import split_by_time
from recsys_tutorial.data.sessions import session_samples
from recsys_tutorial.data.tensors import take, unseen_items
from recsys_tutorial.metrics import hit_at, target_ranks
from recsys_tutorial.models.sasrec import SASRec
from recsys_tutorial.models.stamp import STAMP

FILMS = 1683  # padding included
SITTING, WIDTH = 30, 64  # of STAMP
LENGTH, DIM, HEADS, LAYERS, DROPOUT = 50, 64, 2, 2, 0.2  # of SASRec


def score(k):
    def hits(rows, scores):
        scores = scores.index_fill(1, torch.tensor([0]), -torch.inf)  # the padding
        if "seen" in rows:
            scores = scores.masked_fill(rows["seen"], -torch.inf)
        return {f"HIT@{k}": hit_at(k, target_ranks(scores, rows["target"]))}

    return hits


def stamp():
    samples = session_samples(load_movielens().ratings, length=SITTING)
    data = {name: samples[name] for name in ("history", "target")}
    parts = tuple(take(data, rows) for rows in split_by_time(samples["time"]))

    def inputs(rows):
        return columns({"history": rows["history"]}), rows["target"].numpy()

    def book():
        return STAMP(FILMS, WIDTH)

    def trainer(lr):
        from torch_rechub.basic.features import SequenceFeature
        from torch_rechub.models.matching import STAMP
        from torch_rechub.trainers import MatchTrainer

        model = STAMP(SequenceFeature("history", FILMS, WIDTH), 0.05, 0.002)
        return MatchTrainer(model, mode=2, optimizer_params={"lr": lr})

    peers = {"torch-rechub": rechub(trainer, inputs, 512)}
    return Contest(
        "MovieLens-100K, sittings", parts, score(20), {BOOK: book}, peers, 512, 5
    )


def sasrec():
    events = load_movielens().ratings
    split = leave_one_out(events, FILMS, LENGTH)
    user, item = (events[name].to_numpy() for name in ("user", "item"))

    def negatives(rows):
        """For each target a film that the user, whose number is the row's, has not."""
        drawn, real = torch.zeros_like(rows["target"]), rows["target"] > 0
        who = 1 + real.nonzero()[:, 0].numpy()
        drawn[real] = torch.tensor(unseen_items(user, item, who, FILMS, seed=0))
        return drawn

    def inputs(rows):
        order = (
            (rows["history"] == 0).int().argsort(dim=1, stable=True)
        )  # padding behind
        named = {"seq": rows["history"]}
        if rows["target"].ndim == 2:  # to train on
            named |= {"pos": rows["target"], "neg": negatives(rows)}
        named = {name: ids.gather(1, order) for name, ids in named.items()}
        return columns(named), torch.zeros(len(order)).numpy()  # no labels needed

    def book():
        return SASRec(FILMS, DIM, LENGTH, HEADS, LAYERS, DROPOUT)

    def trainer(lr):
        from torch_rechub.basic.features import SequenceFeature
        from torch_rechub.models.matching import SASRec
        from torch_rechub.trainers import MatchTrainer

        options = {"pooling": "concat", "padding_idx": 0}
        past = SequenceFeature("seq", FILMS, DIM, **options)
        others = [
            SequenceFeature(name, FILMS, DIM, shared_with="seq", **options)
            for name in ("pos", "neg")
        ]
        model = SASRec([past, *others], LENGTH, DROPOUT, LAYERS, HEADS)
        coach = MatchTrainer(model, mode=1, optimizer_params={"lr": lr})
        bpr = coach.criterion  # of vectors
        coach.criterion = lambda up, down: bpr(up.flatten(), down.flatten())
        return coach

    def scores(model, rows):
        user = model.user_tower(rows).squeeze(1)  # (B, D)
        return user @ model.item_emb.embed_dict["seq"].weight.T

    peers = {"torch-rechub": rechub(trainer, inputs, 128, scores)}
    parts = split.train, split.validation, split.test
    return Contest(
        "MovieLens-100K, one row per user",
        parts,
        score(10),
        {BOOK: book},
        peers,
        128,
        40,
        rates=(0.001, 0.01),  # two: a run takes minutes
    )


if __name__ == "__main__":
    main(__doc__, {"stamp": stamp, "sasrec": sasrec})

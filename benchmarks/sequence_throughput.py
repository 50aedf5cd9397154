"""DIN and DIEN on MovieLens-100K: rows per second in training, against two libraries.

``python -m benchmarks.sequence_throughput [--model dien] [--rounds 5]`` with the
packages of ``benchmarks/requirements.txt`` installed. All train the same shapes on the
same arrays: histories of 50, an MLP of 80 and 40 with Dice, batches of 1024, Adam.

DIN: embeddings of 16 for user, film and first genre, an activation unit of 36. Inside
the unit the libraries use Dice, in what each of them means by it; the book's DIN runs
with PReLU and with Dice. DIEN: films alone, embeddings and states of 32, an AUGRU, and
the auxiliary loss, whose negatives are drawn beforehand.

What is not the same, and shows in the number of parameters: torch-rechub puts a batch
normalisation before every Dice, whose alpha is one number per layer; its DIN has an
activation unit for each field, and its DIEN wants a feature beside the films: it gets a
column of zeros. DeepCTR-Torch's Dice holds an affine batch normalisation and does not
work in the MLP, which has ReLU instead. Its DIEN has a network of 100 and 50 units in
the auxiliary loss, where the paper has an inner product, and a network in the
attention, here of 8 units, about as large as the paper's matrix.

What does not show there: in both libraries' DIN, padded steps enter the statistics of
Dice, and in torch-rechub's the user's vector, too. DeepCTR-Torch adds up the main loss
over a batch and averages the auxiliary one; alpha makes that good.
"""

from functools import cache, partial

import torch

from benchmarks.peers import NO_PENALTY, columns, deepctr, rechub
from benchmarks.race import BOOK, Contest, main
from recsys_tutorial.data import load_movielens
from recsys_tutorial.data.movielens import GENRES
from recsys_tutorial.data.sequences import next_item_samples
from recsys_tutorial.data.tensors import take
from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.metrics import auc
from recsys_tutorial.models.dien import DIEN, random_negatives
from recsys_tutorial.models.din import DIN, Dice, ItemEmbedding, PReLU

USERS, FILMS = 944, 1683  # padding included
FIELDS = {"item": FILMS, "genre": 1 + len(GENRES)}  # of DIN
LENGTH, UNITS, BATCH = 50, (80, 40), 1024
RATES = 0.001, 0.01  # two: a run takes a minute
DIM, ATTENTION = 16, 36  # of DIN
STATE = 32  # of DIEN


@cache
def arrays():
    """Rows to train, validate and test, and the first genre of each film, 1 .. 19.

    The test rows are the last fifth of each user's, those for the validation come
    before them: a user's embedding is trained.
    """
    ratings, _, films = load_movielens()
    data = next_item_samples(ratings, FILMS, length=LENGTH)
    user = data["user"]
    counts = torch.bincount(user)
    nth = torch.arange(len(user)) - (counts.cumsum(0) - counts)[user]
    share = nth // 2 * 2 / counts[user]  # a positive goes with its negative
    data = {name: data[name] for name in ("history", "candidate", "label")}
    data["profile"] = user[:, None]
    part = torch.bucketize(share, torch.tensor([0.7, 0.8]), right=True)
    genre = torch.zeros(FILMS, dtype=torch.int64)
    genre[1:] = torch.tensor([1 + GENRES.index(g[0]) for g in films["genres"]])
    return tuple(take(data, part == p) for p in range(3)), genre


def contest(parts, book, trainer, build, inputs, epochs):
    peers = {
        "torch-rechub": rechub(trainer, inputs, BATCH, predicted),
        "DeepCTR-Torch": deepctr(build, inputs, BATCH),
    }
    return Contest(
        "MovieLens-100K", parts, score, book, peers, BATCH, epochs, rates=RATES
    )


def predicted(model, rows):
    """Of torch-rechub: its DIEN returns the auxiliary loss, too."""
    found = model(rows)
    return found[0] if isinstance(found, tuple) else found


def score(rows, predicted):
    return {"AUC": auc(rows["label"], predicted)}


def lengths(rows):
    return (rows["history"] > 0).sum(1)


def din():
    parts, genre = arrays()
    table = torch.zeros(FILMS, FIELDS["genre"])
    table[torch.arange(1, FILMS), genre[1:]] = 1.0

    def inputs(rows):
        named = {"user": rows["profile"][:, 0], "item": rows["candidate"]}
        named |= {"hist_item": rows["history"], "len": lengths(rows)}
        named |= {k.replace("item", "genre"): genre[named[k]] for k in list(named)[1:3]}
        return columns(named), rows["label"].numpy()

    def book(unit):
        return DIN(
            ItemEmbedding(FILMS, DIM, table),
            attention_units=ATTENTION,
            attention_activation=unit,
            activation=Dice,
            scale=1 / LENGTH,
            units=UNITS,
            profile=FieldEmbedding([USERS], DIM),
        )

    def trainer(lr):
        from torch_rechub.basic.features import SequenceFeature, SparseFeature
        from torch_rechub.models.ranking import DIN
        from torch_rechub.trainers import CTRTrainer

        model = DIN(
            [SparseFeature("user", USERS, DIM)],
            [
                SequenceFeature(f"hist_{k}", n, DIM, pooling="concat", shared_with=k)
                for k, n in FIELDS.items()
            ],
            [SparseFeature(k, n, DIM) for k, n in FIELDS.items()],
            mlp_params={"dims": list(UNITS)},
            attention_mlp_params={"dims": [ATTENTION], "use_softmax": False},
        )
        return CTRTrainer(model, optimizer_params={"lr": lr})

    def build(seed):
        from deepctr_torch.inputs import SparseFeat
        from deepctr_torch.models import DIN

        sizes = {"user": USERS} | FIELDS
        single = [SparseFeat(k, n, DIM) for k, n in sizes.items()]
        return DIN(
            single + [past(f"hist_{k}", k, n, DIM) for k, n in FIELDS.items()],
            list(FIELDS),
            dnn_hidden_units=UNITS,
            att_hidden_size=(ATTENTION,),
            seed=seed,
            **NO_PENALTY,
        )

    ours = {BOOK: partial(book, PReLU), f"{BOOK}, Dice": partial(book, Dice)}
    return contest(parts, ours, trainer, build, inputs, epochs=2)


def past(name, key, ids, dim):
    """A history as DeepCTR-Torch wants it, in the embedding of `key`."""
    from deepctr_torch.inputs import SparseFeat, VarLenSparseFeat

    one = SparseFeat(name, ids, dim, embedding_name=key)
    return VarLenSparseFeat(one, LENGTH, length_name="len")


def dien():
    parts = tuple(
        part | {"negative": random_negatives(part["history"], FILMS)}
        for part in arrays()[0]
    )

    def inputs(rows):
        named = {"item": rows["candidate"], "hist_item": rows["history"]}
        named |= {"neg_hist_item": rows["negative"], "len": lengths(rows)}
        named["zero"] = torch.zeros(len(rows["label"]))
        return columns(named), rows["label"].numpy()

    def book():
        return DIEN(ItemEmbedding(FILMS, STATE), units=UNITS, activation=Dice)

    def trainer(lr):
        from torch_rechub.basic.features import (
            DenseFeature,
            SequenceFeature,
            SparseFeature,
        )
        from torch_rechub.models.ranking import DIEN
        from torch_rechub.trainers import CTRTrainer

        options = {"pooling": "concat", "shared_with": "item", "padding_idx": 0}
        past, negative = (
            SequenceFeature(name, FILMS, STATE, **options)
            for name in ("hist_item", "neg_hist_item")
        )
        film = SparseFeature("item", FILMS, STATE, padding_idx=0)
        others, mlp = [DenseFeature("zero")], {"dims": list(UNITS)}
        model = DIEN(others, [past], [negative], [film], mlp, alpha=1.0)
        return CTRTrainer(model, optimizer_params={"lr": lr}, loss_mode=False)

    def build(seed):
        from deepctr_torch.inputs import SparseFeat
        from deepctr_torch.models import DIEN

        names = "hist_item", "neg_hist_item"
        return DIEN(
            [
                SparseFeat("item", FILMS, STATE),
                *(past(name, "item", FILMS, STATE) for name in names),
            ],
            ["item"],
            gru_type="AUGRU",
            use_negsampling=True,
            alpha=BATCH,
            dnn_hidden_units=UNITS,
            att_hidden_units=(8,),
            seed=seed,
            **NO_PENALTY,
        )

    return contest(parts, {BOOK: book}, trainer, build, inputs, epochs=1)


if __name__ == "__main__":
    main(__doc__, {"din": din, "dien": dien})

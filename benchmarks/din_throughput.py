"""DIN on MovieLens-100K: rows per second in training, against two libraries.

``python benchmarks/din_throughput.py [--rounds 5] [--epochs 2]`` with the packages of
``benchmarks/requirements.txt`` installed. All train the same shapes on the same
arrays: histories of 50, embeddings of 16 for user, film and genre, an activation unit
of 36, an MLP of 80 and 40, batches of 1024, Adam, two threads. Inside the activation
unit, the libraries use Dice (what each of them means by it); the book's DIN runs with
PReLU and with Dice. Each trains at the better of two learning rates, 0.001 and 0.01.
"""

import argparse
import tempfile
import warnings
from functools import partial

import torch
from race import Clock, Run, race

from recsys_tutorial.data import load_movielens
from recsys_tutorial.data.movielens import GENRES
from recsys_tutorial.data.sequences import next_item_samples
from recsys_tutorial.data.tensors import minibatches, take
from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.metrics import auc
from recsys_tutorial.models.din import DIN, Dice, ItemEmbedding, PReLU
from recsys_tutorial.train import fit

USERS, FILMS = 944, 1683  # padding included
LENGTH, DIM, ATTENTION, UNITS, BATCH = 50, 16, 36, (80, 40), 1024


def arrays():
    """Training and test rows, and the first genre of each film, 1 .. 19.

    The test rows are the last fifth of each user's: a user's embedding is trained.
    """
    ratings, _, films = load_movielens()
    data = next_item_samples(ratings, FILMS, length=LENGTH)
    counts = torch.bincount(data["user"])
    nth = torch.arange(len(data["user"])) - (counts.cumsum(0) - counts)[data["user"]]
    late = nth // 2 * 2 >= 0.8 * counts[data["user"]]  # a positive and its negative
    genre = torch.zeros(FILMS, dtype=torch.int64)
    genre[1:] = torch.tensor([1 + GENRES.index(g[0]) for g in films["genres"]])
    return take(data, ~late), take(data, late), genre


def ours(train, test, genre, epochs, seed, lr=1e-2, unit=PReLU):
    table = torch.zeros(FILMS, 1 + len(GENRES))
    table[torch.arange(1, FILMS), genre[1:]] = 1.0
    model = DIN(
        ItemEmbedding(FILMS, DIM, table),
        attention_units=ATTENTION,
        attention_activation=unit,
        activation=Dice,
        scale=1 / LENGTH,
        units=UNITS,
        profile=FieldEmbedding([USERS], DIM),
    )
    train, test = (d | {"profile": d["user"][:, None]} for d in (train, test))
    with Clock() as clock:
        fit(model, train, epochs=epochs, batch_size=BATCH, lr=lr, seed=seed,
            progress=False)  # fmt: skip
    with torch.no_grad():
        logits = torch.cat([model(batch) for batch in minibatches(test, 4096)])
    return clock.seconds, {"AUC": auc(test["label"], logits)}


def rechub(train, test, genre, epochs, seed, lr=1e-3):
    from torch_rechub.basic.features import SequenceFeature, SparseFeature
    from torch_rechub.models.ranking import DIN
    from torch_rechub.trainers import CTRTrainer
    from torch_rechub.utils.data import DataGenerator

    sizes = {"item": FILMS, "genre": 1 + len(GENRES)}
    model = DIN(
        [SparseFeature("user", USERS, DIM)],
        [
            SequenceFeature(f"hist_{k}", n, DIM, pooling="concat", shared_with=k)
            for k, n in sizes.items()
        ],
        [SparseFeature(k, n, DIM) for k, n in sizes.items()],
        mlp_params={"dims": list(UNITS)},
        attention_mlp_params={"dims": [ATTENTION], "use_softmax": False},
    )
    trainer = CTRTrainer(
        model,
        optimizer_params={"lr": lr},
        n_epoch=epochs,
        device="cpu",
        model_path=tempfile.mkdtemp(),
    )
    x, y = columns(train, genre), train["label"].numpy()
    x_test, y_test = columns(test, genre), test["label"].numpy()
    loader, _, test_loader = DataGenerator(x, y).generate_dataloader(
        x_val=x_test, y_val=y_test, x_test=x_test, y_test=y_test, batch_size=BATCH
    )
    with Clock() as clock:
        for _ in range(epochs):
            trainer.train_one_epoch(loader)
    return clock.seconds, {"AUC": trainer.evaluate(trainer.model, test_loader)}


def deepctr(train, test, genre, epochs, seed, lr=1e-2):
    from deepctr_torch.inputs import SparseFeat, VarLenSparseFeat
    from deepctr_torch.models import DIN

    sizes = {"item": FILMS, "genre": 1 + len(GENRES)}
    histories = [
        VarLenSparseFeat(
            SparseFeat(f"hist_{k}", n, DIM, embedding_name=k), LENGTH, length_name="len"
        )
        for k, n in sizes.items()
    ]
    single = [SparseFeat(k, n, DIM) for k, n in ({"user": USERS} | sizes).items()]
    model = DIN(
        single + histories,
        list(sizes),
        dnn_hidden_units=UNITS,
        att_hidden_size=(ATTENTION,),
        device="cpu",
        seed=seed,
    )
    model.compile(torch.optim.Adam(model.parameters(), lr), "binary_crossentropy")
    x, x_test = columns(train, genre), columns(test, genre)
    for values in (x, x_test):
        values["len"] = (values["hist_item"] > 0).sum(1)
    with Clock() as clock:
        model.fit(x, train["label"].numpy(), batch_size=BATCH, epochs=epochs, verbose=0)
    return clock.seconds, {"AUC": auc(test["label"], model.predict(x_test, 4096))}


def columns(data, genre):
    """The features as the libraries want them: one array per column."""
    named = {"user": data["user"], "item": data["candidate"]}
    named |= {"hist_item": data["history"]}
    named |= {"genre": genre[named["item"]], "hist_genre": genre[named["hist_item"]]}
    return {name: values.numpy() for name, values in named.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")  # of the libraries
    torch.set_num_threads(options.threads)
    data = arrays()
    rows = options.epochs * len(data[0]["label"])

    def contestant(run):
        def go(seed):
            torch.manual_seed(seed)
            return Run(rows, *run(*data, options.epochs, seed))

        return go

    dice = partial(ours, unit=Dice)
    runs = {
        "this book": ours,
        "this book, Dice": dice,
        "torch-rechub": rechub,
        "DeepCTR-Torch": deepctr,
    }
    table = race({name: contestant(run) for name, run in runs.items()}, options.rounds)
    print(table.to_string())


if __name__ == "__main__":
    main()

"""MMoE on UCI Adult: rows per second in training, against two libraries.

``python benchmarks/mmoe_throughput.py [--rounds 5] [--lr 0.003]`` with the packages of
``benchmarks/requirements.txt`` installed. All train the same shapes on the same
arrays: 8 experts of 16 units, towers of 8, embeddings of 8, batches of 512, Adam with
the same learning rate, as many threads.
"""

import argparse
import tempfile
import warnings

import numpy as np
import torch
from race import Clock, Run, race

from recsys_tutorial.data.census import load_census
from recsys_tutorial.data.tensors import encode_fields, split_rows, take
from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.metrics import auc
from recsys_tutorial.models.mmoe import MMoE
from recsys_tutorial.train import fit

COLUMNS = [
    "age", "workclass", "education", "occupation", "race", "sex",
    "capital_gain", "capital_loss", "hours_per_week", "native_country",
]  # fmt: skip
TASKS = ("income", "never married")
BATCH, DIM, EXPERTS, UNITS, TOWER = 512, 8, 8, 16, 8


def arrays():
    """Features (N, F), labels (N, 2), sizes of the fields, rows to train and test."""
    adult = load_census()
    train, test = split_rows(len(adult), test=0.2, seed=0)
    features, fields = encode_fields(adult, COLUMNS, train)
    labels = np.stack([adult.income, adult.marital_status == "Never-married"], 1)
    data = {"features": features, "labels": torch.tensor(labels).float()}
    return data, [len(field.labels) for field in fields], train, test


def scores(data, test, predictions):
    labels = data["labels"][test]
    return {
        f"AUC {task}": auc(labels[:, k], predictions[:, k])
        for k, task in enumerate(TASKS)
    }


def ours(data, sizes, train, test, epochs, lr, seed):
    model = MMoE(FieldEmbedding(sizes, DIM), 2, EXPERTS, UNITS, TOWER)
    rows = take(data, train)
    with Clock() as clock:
        fit(model, rows, epochs=epochs, batch_size=BATCH, lr=lr, seed=seed,
            progress=False)  # fmt: skip
    with torch.no_grad():
        return clock.seconds, scores(data, test, model(take(data, test)))


def rechub(data, sizes, train, test, epochs, lr, seed):
    from torch_rechub.basic.features import SparseFeature
    from torch_rechub.models.multi_task import MMOE
    from torch_rechub.trainers import MTLTrainer
    from torch_rechub.utils.data import DataGenerator

    features = [SparseFeature(c, n, DIM) for c, n in zip(COLUMNS, sizes, strict=True)]
    tower = {"dims": [TOWER]}
    kinds = ["classification"] * 2
    model = MMOE(features, kinds, EXPERTS, {"dims": [UNITS]}, [tower, dict(tower)])
    trainer = MTLTrainer(
        model,
        task_types=kinds,
        optimizer_params={"lr": lr},
        n_epoch=epochs,
        device="cpu",
        model_path=tempfile.mkdtemp(),
    )
    x, y = columns(data, train), data["labels"][train].numpy()
    generator = DataGenerator(x, y)
    loader = generator.generate_dataloader(
        x_val=x, y_val=y, x_test=x, y_test=y, batch_size=BATCH
    )[0]
    with Clock() as clock:
        for _ in range(epochs):
            trainer.train_one_epoch(loader)
    model.eval()
    with torch.no_grad():
        x_test = {k: torch.tensor(v) for k, v in columns(data, test).items()}
        return clock.seconds, scores(data, test, model(x_test))


def deepctr(data, sizes, train, test, epochs, lr, seed):
    from deepctr_torch.inputs import SparseFeat
    from deepctr_torch.models import MMOE

    model = MMOE(
        [SparseFeat(c, n, DIM) for c, n in zip(COLUMNS, sizes, strict=True)],
        num_experts=EXPERTS,
        expert_dnn_hidden_units=(UNITS,),
        tower_dnn_hidden_units=(TOWER,),
        gate_dnn_hidden_units=(),
        task_types=["binary"] * 2,
        task_names=list(TASKS),
        device="cpu",
        seed=seed,
    )
    loss = ["binary_crossentropy"] * 2
    model.compile(torch.optim.Adam(model.parameters(), lr), loss=loss)
    x, y = columns(data, train), data["labels"][train].numpy()
    with Clock() as clock:
        model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    return clock.seconds, scores(data, test, model.predict(columns(data, test), 4096))


def columns(data, rows):
    """The features as the libraries want them: one array per column."""
    return {c: data["features"][rows, f].numpy() for f, c in enumerate(COLUMNS)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")  # of the libraries
    torch.set_num_threads(options.threads)
    data, sizes, train, test = arrays()

    def contestant(run):
        def go(seed):
            torch.manual_seed(seed)
            result = run(data, sizes, train, test, options.epochs, options.lr, seed)
            return Run(options.epochs * len(train), *result)

        return go

    runs = {"this book": ours, "torch-rechub": rechub, "DeepCTR-Torch": deepctr}
    table = race({name: contestant(run) for name, run in runs.items()}, options.rounds)
    print(table.to_string())


if __name__ == "__main__":
    main()

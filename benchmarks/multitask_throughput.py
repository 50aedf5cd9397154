"""MMoE, PLE, ESMM and AITM: rows per second in training, against two libraries.

``python -m benchmarks.multitask_throughput [--model ple] [--rounds 5]`` with the
packages of ``benchmarks/requirements.txt`` installed. MMoE and PLE learn two tasks of
UCI Adult; ESMM and AITM learn a simulated chain of conversions, from user and item.
All train the same shapes on the same arrays, in batches of 512, with Adam, and start
from embeddings near 0, as the libraries do and the book's chapters do not: on the chain
it is worth .01 to .02 of AUC. The sizes stand below. AITM is not in DeepCTR-Torch.

What is not the same, and shows in the number of parameters: torch-rechub puts a batch
normalisation behind every hidden layer, the softmax gates' included, and gives gates a
bias. Of PLE, the book keeps one matrix of gate weights per level, part of it behind a
fixed mask; DeepCTR-Torch computes a gate for shared experts in the last level, too,
which nothing reads, and makes as many shared experts as a task has own ones, so both
numbers are equal here. In DeepCTR-Torch's ESMM, the two outputs share one bias.

What does not show there: torch-rechub's ESMM looks up the embeddings of the users
twice. Its AITM leaves the calibrator to whoever writes the loss; the book computes it,
here with weight 0, so that the losses agree.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.peers import NO_PENALTY, columns, deepctr, rechub
from benchmarks.race import BOOK, Contest, main
from recsys_tutorial.data.census import load_census
from recsys_tutorial.data.tensors import encode_fields, split_rows, take
from recsys_tutorial.data.worlds import conversion_chain
from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.metrics import auc
from recsys_tutorial.models.aitm import AITM
from recsys_tutorial.models.esmm import ESMM
from recsys_tutorial.models.mmoe import MMoE
from recsys_tutorial.models.ple import PLE

COLUMNS = [
    "age", "workclass", "education", "occupation", "race", "sex",
    "capital_gain", "capital_loss", "hours_per_week", "native_country",
]  # fmt: skip
BATCH, EPOCHS, DIM = 512, 5, 8
START = 1e-4  # standard deviation of an embedding's first value
EXPERTS, UNITS, TOWER = 8, 16, 8  # of MMoE
LEVELS, OWN = 2, 4  # of PLE: as many experts of each task as shared ones
HIDDEN = 32  # of each tower of ESMM
BOTTOM = (64, 32)  # of each tower of AITM
ROWS, USERS, ITEMS = 120_000, 1500, 600  # of the chain


class World(NamedTuple):
    """Rows, and what their columns mean: ``features`` (N, F), ``labels`` (N, T)."""

    name: str
    parts: tuple
    sizes: dict[str, int]  # field -> number of ids
    tasks: tuple[str, ...]


def split(data):
    rest, test = split_rows(len(data["labels"]), test=0.2, seed=0)
    train, validation = (rest[part] for part in split_rows(len(rest), 0.1, seed=0))
    return train, validation, test


@cache
def census():
    adult = load_census()
    labels = np.stack([adult.income, adult.marital_status == "Never-married"], 1)
    data = {"labels": torch.tensor(labels).float()}
    rows = split(data)
    data["features"], fields = encode_fields(adult, COLUMNS, rows[0])
    sizes = {field.name: len(field.labels) for field in fields}
    parts = tuple(take(data, part) for part in rows)
    return World("UCI Adult", parts, sizes, ("income", "never married"))


@cache
def chain(rates, tasks):
    world = conversion_chain(ROWS, rates, n_users=USERS, n_items=ITEMS)
    data = {name: world[name] for name in ("features", "labels")}
    parts = tuple(take(data, part) for part in split(data))
    sizes = {"user": USERS + 1, "item": ITEMS + 1}
    return World("a simulated chain of conversions", parts, sizes, tasks)


def contest(world, book, theirs, other=None, labels=None):
    """The models, each by a function that builds one, as a `Contest`.

    `theirs` builds torch-rechub's from its features, `other` DeepCTR-Torch's from its
    features and the options common to its models. `labels` are the columns of labels
    that torch-rechub wants, if not just those of the tasks.
    """
    tasks = len(world.tasks)
    labels = labels or list(range(tasks))

    def x(rows):
        return columns(dict(zip(world.sizes, rows["features"].T, strict=True)))

    def trainer(lr):
        from torch_rechub.basic.features import SparseFeature
        from torch_rechub.trainers import MTLTrainer

        model = theirs([SparseFeature(c, n, DIM) for c, n in world.sizes.items()])
        kinds = ["classification"] * len(labels)
        return MTLTrainer(model, kinds, optimizer_params={"lr": lr})

    def build(seed):
        from deepctr_torch.inputs import SparseFeat

        options = {
            "task_types": ["binary"] * tasks,
            "task_names": list(world.tasks),
            "seed": seed,
        }
        features = [SparseFeat(c, n, DIM) for c, n in world.sizes.items()]
        return other(features, options | NO_PENALTY)

    def score(rows, predicted):
        pairs = zip(world.tasks, rows["labels"].T, predicted.T[-tasks:], strict=True)
        return {f"AUC {task}": auc(label, p) for task, label, p in pairs}

    def with_labels(rows):
        return x(rows), rows["labels"][:, labels].numpy()

    def plain(rows):
        return x(rows), rows["labels"].numpy()

    peers = {"torch-rechub": rechub(trainer, with_labels, BATCH)}
    if other:
        peers["DeepCTR-Torch"] = deepctr(build, plain, BATCH, tasks)

    def own():
        inputs = FieldEmbedding(world.sizes.values(), DIM)
        with torch.no_grad():
            inputs.table.mul_(START * DIM**0.5)  # of a deviation of 1 / sqrt(D)
        return book(inputs)

    ours = {BOOK: own}
    return Contest(world.name, world.parts, score, ours, peers, BATCH, EPOCHS)


def mmoe():
    def theirs(features):
        from torch_rechub.models.multi_task import MMOE

        tower = {"dims": [TOWER]}
        kinds = ["classification"] * 2
        return MMOE(features, kinds, EXPERTS, {"dims": [UNITS]}, [tower, tower])

    def other(features, options):
        from deepctr_torch.models import MMOE

        return MMOE(features, num_experts=EXPERTS, **mixture(), **options)

    def book(inputs):
        return MMoE(inputs, 2, EXPERTS, UNITS, TOWER)

    return contest(census(), book, theirs, other)


def mixture():
    """The sizes that MMoE and PLE share, in the words of DeepCTR-Torch."""
    return {
        "expert_dnn_hidden_units": (UNITS,),
        "tower_dnn_hidden_units": (TOWER,),
        "gate_dnn_hidden_units": (),
    }


def ple():
    def theirs(features):
        from torch_rechub.models.multi_task import PLE

        kinds, tower = ["classification"] * 2, {"dims": [TOWER]}
        return PLE(features, kinds, LEVELS, OWN, OWN, {"dims": [UNITS]}, [tower, tower])

    def other(features, options):
        from deepctr_torch.models import PLE

        experts = {"shared_expert_num": OWN, "specific_expert_num": OWN}
        return PLE(features, num_levels=LEVELS, **experts, **mixture(), **options)

    def book(inputs):
        return PLE(inputs, 2, LEVELS, OWN, OWN, UNITS, TOWER)

    return contest(census(), book, theirs, other)


def esmm():
    def theirs(features):
        from torch_rechub.models.multi_task import ESMM

        tower = {"dims": [HIDDEN]}
        return ESMM(features[:1], features[1:], tower, tower)

    def other(features, options):
        from deepctr_torch.models import ESMM

        return ESMM(features, tower_dnn_hidden_units=(HIDDEN,), **options)

    def book(inputs):
        return ESMM(inputs, units=HIDDEN)

    def output(model, rows):
        return torch.stack(model.explain(rows)[::2], 1)  # CTR and CTCVR

    world = chain((0.06, 0.16), ("click", "conversion"))
    # torch-rechub predicts CVR, CTR and CTCVR; it leaves the first out of its loss.
    found = contest(world, book, theirs, other, labels=[1, 0, 1])
    return found._replace(output=output)


def aitm():
    def theirs(features):
        from torch_rechub.models.multi_task import AITM

        bottom = {"dims": list(BOTTOM)}
        return AITM(features, 3, bottom, [{"dims": []} for _ in range(3)])

    def book(inputs):
        return AITM(inputs, 3, *BOTTOM, alpha=0.0)

    return contest(chain((0.3, 0.3, 0.3), ("click", "cart", "pay")), book, theirs)


if __name__ == "__main__":
    main(__doc__, {"mmoe": mmoe, "ple": ple, "esmm": esmm, "aitm": aitm})

"""How the two libraries train: what every race does alike.

Both do as their manuals say: their own trainer, their own loader of rows, one process,
and Adam as torch has it by default, where the book's `fit` asks for the fused one.
Their messages and progress bars go nowhere. The L2 penalty that DeepCTR-Torch puts on
embeddings by default is left out, as nobody else has one.
"""

import io
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import torch
from torch import Tensor, nn

from benchmarks.race import Clock, Trained

NO_PENALTY = {"l2_reg_embedding": 0.0, "device": "cpu"}  # for each of DeepCTR-Torch


@contextmanager
def quiet():
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def columns(named: dict[str, Tensor]) -> dict:
    """The features as the libraries want them: one array per column."""
    return {name: values.contiguous().numpy() for name, values in named.items()}


def rechub(trainer, inputs, batch, forward=nn.Module.__call__):
    """A contestant of torch-rechub.

    Parameters
    ----------
    trainer : callable
        Learning rate -> a trainer of the library, around a new model.
    inputs : callable
        Rows -> a dict of arrays, and the array of labels.
    batch : int
    forward : callable, optional
        Model and dict of tensors -> predictions, if it is not the model itself.
    """

    def train(rows, epochs, lr, seed):
        from torch_rechub.utils.data import DataGenerator

        coach, (x, y) = trainer(lr), inputs(rows)
        loader, _, _ = DataGenerator(x, y).generate_dataloader(
            x_val=x, y_val=y, x_test=x, y_test=y, batch_size=batch
        )
        with quiet(), Clock() as clock:
            for _ in range(epochs):
                coach.train_one_epoch(loader)
        model = coach.model.eval()

        def predict(data):
            x = {name: torch.as_tensor(v) for name, v in inputs(data)[0].items()}
            parts = zip(*(v.split(1024) for v in x.values()), strict=True)
            parts = [dict(zip(x, part, strict=True)) for part in parts]
            return torch.cat([forward(model, p) for p in parts])

        return Trained(model, clock.seconds, predict)

    return train


def deepctr(build, inputs, batch, tasks=1):
    """A contestant of DeepCTR-Torch.

    Parameters
    ----------
    build : callable
        Seed -> a new model of the library.
    inputs : callable
        As in `rechub`.
    batch, tasks : int
    """

    def train(rows, epochs, lr, seed):
        model, loss = build(seed), "binary_crossentropy"
        loss = loss if tasks == 1 else [loss] * tasks
        model.compile(torch.optim.Adam(model.parameters(), lr), loss)
        x, y = inputs(rows)
        with quiet(), Clock() as clock:
            model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)

        def predict(data):
            return torch.as_tensor(model.predict(inputs(data)[0], 1024))

        return Trained(model, clock.seconds, predict)

    return train

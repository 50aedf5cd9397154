"""What a run may cost: the full budget of the book, or a quick run of the same cells.

A cell names both, the full one first, and the notebook has no other second path::

    SEEDS = range(budget(5, quick=2))
    fit(model, train, epochs=budget(6, quick=1))

A quick run shows that every cell works.  It shows nothing about the models: they have
hardly been trained, so `Claim` gives no verdict and asserts no bounds.
"""

import os
from typing import TypeVar

VARIABLE = "RECSYS_TUTORIAL_QUICK"
T = TypeVar("T")


def budget(full: T, *, quick: T) -> T:
    """Give `full`, or in a quick run `quick`.

    Parameters
    ----------
    full, quick : any
        A number of seeds, epochs or rows, a list of rates to try, a bound: what the
        run's cost hangs on, or what holds for the full budget alone.
    """
    return quick if is_quick() else full


def is_quick() -> bool:
    """Say whether this is a quick run: the variable `RECSYS_TUTORIAL_QUICK` is 1.

    Raises
    ------
    ValueError
        If the variable is set to something other than 0 or 1.
    """
    value = os.environ.get(VARIABLE, "") or "0"
    if value not in ("0", "1"):
        raise ValueError(
            f"the environment variable {VARIABLE} is {value!r}; expected 1 for a quick "
            "run, or 0 (or nothing) for a full one"
        )
    return value == "1"


def quick_run(on: bool = True) -> None:
    """Make what follows a quick run, here and in the processes started from here.

    In a notebook, call it in a cell of its own before all others; a run that was begun
    in one way cannot be ended in the other. ValueError unless `on` is True or False.
    """
    if not isinstance(on, bool):
        raise ValueError(f"on is {on!r}; expected True for a quick run, or False")
    os.environ[VARIABLE] = "1" if on else "0"

"""What a live figure computes in the browser is what the package computes."""

import importlib
import random
from itertools import islice

import numpy as np
import pytest
import torch

from recsys_tutorial import live
from tests.live.conftest import kept, script

NAMES = sorted(path.stem for path in live.FOLDER.glob("*.js") if path.stem != "frame")
COMPUTE = """([name, states]) => {
    const figure = recsysLive.figures[name];
    return (states || [figure.states[0].state]).map(state => figure.compute(state));
}"""
MOVES = 50
figures = pytest.mark.parametrize("name", NAMES)


def twin(name):
    return importlib.import_module(f"tests.live.twins.{name}")


def drawn(name):
    """Give seeded places for the handles of a figure."""
    endless = twin(name).states(random.Random(0), kept()[name])
    return list(islice(endless, MOVES))


def by_package(name, record, states):
    """Compute the answers by the package, from the numbers of a record."""
    torch.set_num_threads(1)
    arrays = live.unpack(record["numbers"]).items()
    numbers = {
        key: torch.tensor(x.astype(float if x.dtype.kind == "f" else int)).to(
            torch.float32 if x.dtype.kind == "f" else torch.int64
        )
        for key, x in arrays
    }
    return [twin(name).answer(numbers, record["words"], state) for state in states]


def distance(name, found, expected):
    """Give the largest distance for each name in the answers, in parts of its span."""
    assert len(found) == len(expected)
    told = {}
    for key, span in twin(name).SPAN.items():
        pairs = [
            (np.asarray(a[key], float), np.asarray(b[key], float))
            for a, b in zip(found, expected, strict=True)
        ]
        apart = [
            np.abs(a - b).max(initial=0) if a.shape == b.shape else np.inf
            for a, b in pairs
        ]
        told[key] = max(apart) / (span or 1)
    return told


def agree(name, found, expected, bound):
    """Whether all answers lie within the bound; integers have to be the same."""
    return all(
        value <= (bound if twin(name).SPAN[key] else 0)
        for key, value in distance(name, found, expected).items()
    )


@figures
def test_the_script_computes_what_the_package_does(name, put):
    packed, states = live.payload(kept()[name]), drawn(name)
    page = put(script(name), packed)
    found = page.evaluate(COMPUTE, [name, states])
    assert set(found[0]) >= set(twin(name).SPAN)
    assert agree(name, found, by_package(name, packed, states), 1e-5)


@figures
def test_what_is_shown_is_that_of_the_model_as_trained(name, put):
    states = drawn(name)
    page = put(script(name), live.payload(kept()[name]))
    found = page.evaluate(COMPUTE, [name, states])
    expected = by_package(name, kept()[name], states)
    assert agree(name, found, expected, 0.01)
    for key in twin(name).ORDER:
        for a, b in zip(found, expected, strict=True):
            a, b = np.atleast_2d(a[key]), np.atleast_2d(b[key])
            assert (first_five(a) == first_five(b)).all()


def first_five(rows):
    return np.argsort(-np.asarray(rows, float), axis=-1, kind="stable")[:, :5]


@figures
def test_it_opens_with_what_its_picture_shows(name, put):
    page = put(script(name), live.payload(kept()[name]))
    opening = page.evaluate(COMPUTE, [name, None])
    shown = live.unpack(kept()[name]["shown"])
    assert shown
    assert set(shown) <= set(twin(name).SPAN)
    for key, values in shown.items():
        span = twin(name).SPAN[key]
        found = np.asarray(opening[0][key], float)
        assert found.shape == values.shape, key
        assert np.abs(found - values).max() <= 0.01 * span, key


@figures
def test_a_mistake_in_the_script_is_noticed(name, put):
    packed, states, text = live.payload(kept()[name]), drawn(name), script(name)
    expected = by_package(name, packed, states)
    assert len(twin(name).BREAKS) >= 3
    for what, (old, new) in twin(name).BREAKS.items():
        assert text.count(old) == 1, what
        found = put(text.replace(old, new), packed).evaluate(COMPUTE, [name, states])
        assert not agree(name, found, expected, 1e-5), what


def test_each_figure_stands_in_a_notebook_and_has_a_twin():
    assert set(NAMES) == set(kept())

import pytest

from recsys_tutorial.budget import VARIABLE, budget, is_quick, quick_run
from recsys_tutorial.train import parallel, repeat


@pytest.fixture(autouse=True)
def variable(monkeypatch):
    """Leave the variable as it was, whatever a test does with it."""
    monkeypatch.setenv(VARIABLE, "0")


@pytest.mark.parametrize(("value", "quick"), [("1", True), ("0", False), ("", False)])
def test_the_variable_decides(monkeypatch, value, quick):
    monkeypatch.setenv(VARIABLE, value)
    assert is_quick() is quick
    assert budget(5, quick=2) == (2 if quick else 5)


def test_without_the_variable_a_run_is_full(monkeypatch):
    monkeypatch.delenv(VARIABLE)
    assert budget([0.1, 0.01], quick=[0.1]) == [0.1, 0.01]


def test_a_mistyped_variable_is_told(monkeypatch):
    monkeypatch.setenv(VARIABLE, "yes")
    with pytest.raises(ValueError, match="RECSYS_TUTORIAL_QUICK is 'yes'; expected 1"):
        budget(5, quick=2)


def test_the_switch_goes_both_ways():
    quick_run()
    assert is_quick()
    quick_run(False)
    assert not is_quick()


@pytest.mark.parametrize("on", ["0", "", 0, None])
def test_the_switch_is_true_or_false(on):
    with pytest.raises(ValueError, match="expected True for a quick run, or False"):
        quick_run(on)
    assert not is_quick()


def seeds():
    return budget(5, quick=2)


def test_processes_that_are_older_than_the_switch_follow_it():
    assert list(parallel([seeds, seeds])) == [5, 5]
    quick_run()
    assert list(parallel([seeds, seeds])) == [2, 2]


def test_a_quick_run_repeats_over_the_seeds_it_is_given():
    quick_run()
    runs = repeat(
        {"a": lambda seed: {"x": seed}}, range(seeds()), progress=False, jobs=1
    )
    assert len(runs.table) == 2

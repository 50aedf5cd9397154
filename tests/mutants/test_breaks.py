"""What can be said of the breaks without making them: each still has its place."""

import pytest

from tests.mutants import run as script


@pytest.fixture
def run():
    """Give the script under the name that it has here."""
    return script


def test_every_break_finds_its_place_and_leaves_valid_python(run):
    for module in run.modules():
        own = run.breaks(module)
        assert len(set(own.values())) == len(own) >= 5, module


def test_every_module_with_an_equation_has_a_list(run):
    package = run.ROOT / run.PACKAGE
    models = {f"models/{p.stem}" for p in (package / "models").glob("[!_]*.py")}
    others = {"als", "augment", "correlation", "layers", "metrics", "retrieval"}
    without = sorted((models | others) - set(run.modules()))
    assert without == [], f"tests/mutants has no list of breaks for {without}"


@pytest.mark.parametrize("times", [0, 2])
def test_a_place_that_is_not_found_just_once_is_told(run, monkeypatch, tmp_path, times):
    (tmp_path / run.PACKAGE).mkdir()
    (tmp_path / run.PACKAGE / "sums.py").write_text("a = 1\n" * times)
    (tmp_path / "sums.toml").write_text("[sign]\nold = 'a = 1'\nnew = 'a = -1'\n")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "HERE", tmp_path)
    with pytest.raises(ValueError, match=f"sums, sign: .* stands there {times} x"):
        run.breaks("sums")

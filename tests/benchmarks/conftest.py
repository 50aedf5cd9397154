"""The scripts of ``benchmarks/``, which are no package."""

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Import a file of ``benchmarks/`` as it would import its neighbours."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module

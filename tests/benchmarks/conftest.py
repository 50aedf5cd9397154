"""The scripts of ``benchmarks/``: some import packages that only a race needs."""

import importlib

import pytest


@pytest.fixture
def script():
    """Import a script by its name."""
    return lambda name: importlib.import_module(f"benchmarks.{name}")

"""Properties are tested without a clock, and on one thread: machines are busy."""

import os

import pytest
import torch
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure():
    """One thread for each process: steps this small only wait for a second one."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def device():
    """Where the models compute: on the CPU, or where RECSYS_TUTORIAL_DEVICE says.

    ``make test-fast DEVICE=cuda`` runs the tests that take it on a GPU.
    """
    return os.environ.get("RECSYS_TUTORIAL_DEVICE") or "cpu"
